import { describe, expect, it, vi } from "vitest";
import { type InProcessAgent, InProcessTransport } from "../../../src/agents/transport/in-process-transport.ts";

/** Answers every message with the same message, and ends on `{"exit": n}`. */
const mirror: InProcessAgent = async ({ readable, writable, exit }) => {
	const writer = writable.getWriter();
	for await (const message of readable) {
		if (typeof message === "object" && message !== null && "exit" in message) exit(Number(message.exit), "asked to");
		else await writer.write(message);
	}
};

function start(agent: InProcessAgent): { transport: InProcessTransport; batches: string[][] } {
	const transport = new InProcessTransport(agent);
	const batches: string[][] = [];
	transport.onLines((lines) => batches.push(lines.map((line) => Buffer.from(line).toString())));
	return { transport, batches };
}

describe("InProcessTransport", () => {
	it("carries messages in both directions", async () => {
		const { transport, batches } = start(mirror);
		await transport.write(Buffer.from('{"a":1}'));
		await vi.waitFor(() => expect(batches.flat()).toEqual(['{"a":1}']));
		expect(transport.pid).toBeUndefined();
	});

	it("delivers a burst as one batch", async () => {
		const { batches } = start(async ({ writable }) => {
			const writer = writable.getWriter();
			for (let index = 0; index < 100; index++) await writer.write({ index });
		});
		await vi.waitFor(() => expect(batches.flat()).toHaveLength(100));
		expect(batches).toHaveLength(1);
	});

	it("makes an agent that floods wait, so that others get their turn", async () => {
		let turns = 0;
		const count = () => {
			turns += 1;
			timer = setImmediate(count);
		};
		let timer = setImmediate(count);
		const { batches } = start(async ({ writable }) => {
			const writer = writable.getWriter();
			const text = "x".repeat(1000);
			for (let index = 0; index < 1000; index++) await writer.write({ text });
		});
		await vi.waitFor(() => expect(batches.flat()).toHaveLength(1000));
		clearImmediate(timer);
		expect(Math.max(...batches.map((lines) => lines.join("").length))).toBeLessThan(70_000);
		expect(turns).toBeGreaterThan(10);
	});

	it("keeps what is written before a listener is set", async () => {
		const transport = new InProcessTransport(mirror);
		await transport.write(Buffer.from('{"a":1}'));
		await new Promise((resolve) => setImmediate(resolve));
		const lines: string[] = [];
		transport.onLines((batch) => lines.push(...batch.map((line) => Buffer.from(line).toString())));
		await vi.waitFor(() => expect(lines).toEqual(['{"a":1}']));
	});

	it("answers a line that is not JSON as an agent over stdio does", async () => {
		const { transport, batches } = start(mirror);
		await transport.write(Buffer.from("not json"));
		await vi.waitFor(() => expect(batches.flat()).toHaveLength(1));
		expect(JSON.parse(batches.flat()[0] ?? "")).toMatchObject({ id: null, error: { code: -32700 } });
	});

	it("delivers the last lines before the exit and refuses writes after it", async () => {
		const { transport, batches } = start(mirror);
		await transport.write(Buffer.from('{"a":1}'));
		await transport.write(Buffer.from('{"exit":7}'));
		expect(await transport.exited).toEqual({ code: 7, signal: null, stderr: "asked to" });
		expect(batches.flat()).toEqual(['{"a":1}']);
		await expect(transport.write(Buffer.from("{}"))).rejects.toMatchObject({ code: "stream_error" });
	});

	it("reports an agent that cannot start as its exit", async () => {
		const { transport } = start(() => {
			throw new Error("no such agent");
		});
		expect(await transport.exited).toEqual({ code: 1, signal: null, stderr: "no such agent" });
	});

	it("ends the agent's input on close", async () => {
		let ended = false;
		const { transport } = start(async ({ readable }) => {
			for await (const message of readable) expect(message).toBeUndefined();
			ended = true;
		});
		expect(await transport.close()).toEqual({ code: 0, signal: null, stderr: "" });
		expect(await transport.close()).toMatchObject({ code: 0 });
		await vi.waitFor(() => expect(ended).toBe(true));
	});
});
