import { describe, expect, it, vi } from "vitest";
import { FakeClock } from "../support/fake-clock.ts";
import { useMockAgent } from "../support/mock-agent.ts";

const lab = useMockAgent();

describe("mock agent: time and cancel", () => {
	it("slow: goes on as time passes", async () => {
		const clock = new FakeClock();
		const { client, sessionId } = await lab.open({}, { clock });
		const turn = client.prompt(sessionId, "slow 330000");
		for (let step = 1; step <= 10; step++) {
			await vi.waitFor(() => expect(clock.sleeping).toBe(1));
			expect(client.updatesOf(sessionId, "agent_message_chunk")).toHaveLength(step - 1);
			clock.advance(33_000);
		}
		expect(await turn).toEqual({ stopReason: "end_turn" });
		expect(client.text(sessionId)).toContain("100 %");
	});

	it("slow: ends at once when it is cancelled", async () => {
		const clock = new FakeClock();
		const { client, sessionId } = await lab.open({}, { clock });
		const turn = client.prompt(sessionId, "slow");
		await vi.waitFor(() => expect(clock.sleeping).toBe(1));
		await client.cancel(sessionId);
		expect(await turn).toEqual({ stopReason: "cancelled" });
		expect(clock.sleeping).toBe(0);
	});

	it("hang: waits for a cancel", async () => {
		const { client, sessionId } = await lab.open();
		const turn = client.prompt(sessionId, "hang");
		await vi.waitFor(() => expect(client.text(sessionId)).toBe("I wait for a cancel."));
		await client.cancel(sessionId);
		expect(await turn).toEqual({ stopReason: "cancelled" });
		await client.prompt(sessionId, "next");
		expect(client.text(sessionId)).toContain("next");
	});

	it("runs a second prompt of a session after the first, and a cancel ends both", async () => {
		const { client, sessionId } = await lab.open();
		const first = client.prompt(sessionId, "hang");
		const second = client.prompt(sessionId, "second");
		await vi.waitFor(() => expect(client.text(sessionId)).toBe("I wait for a cancel."));
		await client.cancel(sessionId);
		expect(await Promise.all([first, second])).toEqual([{ stopReason: "cancelled" }, { stopReason: "cancelled" }]);
		expect(client.text(sessionId)).toBe("I wait for a cancel.");
	});

	it("runs several sessions beside each other", async () => {
		const { client, sessionId } = await lab.open();
		const other = await client.newSession(lab.directory);
		const hanging = client.prompt(sessionId, "hang");
		expect(await client.prompt(other.sessionId, "hello")).toEqual({ stopReason: "end_turn" });
		expect(client.text(other.sessionId)).toBe("hello");
		await client.cancel(sessionId);
		expect(await hanging).toEqual({ stopReason: "cancelled" });
	});
});
