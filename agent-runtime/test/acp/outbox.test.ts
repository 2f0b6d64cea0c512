import { describe, expect, it } from "vitest";
import { DEFAULT_ACP_LIMITS } from "../../src/acp/limits.ts";
import { Outbox } from "../../src/acp/outbox.ts";

const line = (text: string) => ({ line: Buffer.from(text) });
const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

/** An input that takes a line only when it is told to. */
function makeInput() {
	const lines: string[] = [];
	const pending: (() => void)[] = [];
	const write = (bytes: Uint8Array) => {
		lines.push(Buffer.from(bytes).toString());
		return new Promise<void>((resolve) => pending.push(resolve));
	};
	return { lines, write, take: () => pending.shift()?.() };
}

describe("the queue before an agent's input", () => {
	it("writes one message after the other, in order", async () => {
		const outbox = new Outbox(DEFAULT_ACP_LIMITS);
		const input = makeInput();
		for (const text of ["a", "b", "c"]) outbox.push(line(text));
		expect(outbox.isIdle).toBe(false);
		outbox.open(input.write);
		expect(input.lines).toEqual(["a"]);
		for (let count = 0; count < 3; count++) {
			input.take();
			await nextTurn();
		}
		expect(input.lines).toEqual(["a", "b", "c"]);
		expect(outbox.isIdle).toBe(true);
	});

	it("does not take the end of a write to a former agent for one to its successor", async () => {
		const outbox = new Outbox(DEFAULT_ACP_LIMITS);
		const [former, next] = [makeInput(), makeInput()];
		outbox.open(former.write);
		outbox.push(line("old"));
		outbox.clear();
		outbox.push(line("one"));
		outbox.push(line("two"));
		outbox.open(next.write);
		former.take();
		await nextTurn();
		expect(next.lines).toEqual(["one"]);
		next.take();
		await nextTurn();
		expect(next.lines).toEqual(["one", "two"]);
	});

	it("counts what is reserved, and takes a single large message when nothing else waits", () => {
		const outbox = new Outbox({ ...DEFAULT_ACP_LIMITS, maxQueuedMessages: 2, maxQueuedBytes: 10 });
		const release = outbox.reserve(100);
		expect(() => outbox.requireRoom(1)).toThrow("1 messages (100 bytes)");
		release();
		outbox.requireRoom(100);
		outbox.push(line("12345"));
		outbox.reserve(5);
		expect(() => outbox.reserve(0)).toThrow("at most 2 messages");
	});
});
