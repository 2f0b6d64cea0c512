import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { LogLine } from "../../src/acp/connection-handler.ts";
import type { LogPageRequest } from "../../src/acp/log-page.ts";
import { UpdateBuffer } from "../../src/sessions/update-buffer.ts";

const LIMITS = { updates: 5, characters: 1_000 };

/** A log in memory whose lines are told as they are written. */
class WrittenLog {
	readonly lines: string[] = [];
	reads = 0;

	write(sessionId: string, update: object): LogLine {
		this.lines.push(JSON.stringify({ jsonrpc: "2.0", method: "session/update", params: { sessionId, update } }));
		return { id: this.lines.length, epoch: "log", length: this.lines.at(-1)?.length ?? 0 };
	}

	async reread({ after, to, onLine }: Omit<LogPageRequest, "onGap">): Promise<number> {
		this.reads++;
		for (let id = after + 1; id <= to; id++) if (!onLine(this.lines[id - 1] ?? "", id)) return id;
		return to;
	}
}

function say(buffer: UpdateBuffer, log: WrittenLog, number: number): void {
	const update = { sessionUpdate: "agent_message_chunk", number };
	buffer.push({ update, agentSessionId: "mine", connection: log, line: log.write("mine", update) });
}

const numbersOf = (updates: object[]) => updates.map((update) => ("number" in update ? update.number : undefined));
const { signal } = new AbortController();

describe("a buffer of updates", () => {
	it("keeps no more than its limit, and reads the rest again page by page [sdk-stream-bounded]", async () => {
		const [buffer, log] = [new UpdateBuffer(LIMITS), new WrittenLog()];
		for (let number = 1; number <= 12; number++) say(buffer, log, number);
		expect(numbersOf(buffer.take())).toEqual([1, 2, 3, 4, 5]);
		await buffer.refill(signal);
		expect(numbersOf(buffer.take())).toEqual([6, 7, 8, 9, 10]);
		await buffer.refill(signal);
		expect(numbersOf(buffer.take())).toEqual([11, 12]);
		expect(buffer.isEmpty).toBe(true);
		say(buffer, log, 13);
		expect(numbersOf(buffer.take())).toEqual([13]);
		expect(log.reads).toBe(2);
	});

	it("counts the length of what it keeps [sdk-stream-bounded]", () => {
		const [buffer, log] = [new UpdateBuffer({ updates: 100, characters: 250 }), new WrittenLog()];
		for (let number = 1; number <= 12; number++) say(buffer, log, number);
		expect(buffer.take().length).toBe(Math.ceil(250 / (log.lines[0]?.length ?? 0)));
	});

	it("tells each update once and in order, however it is read", async () => {
		const steps = fc.array(
			fc.constantFrom("say", "say", "say", "say other", "other log", "read", "refill while saying"),
		);
		await fc.assert(
			fc.asyncProperty(steps, async (taken) => {
				const buffer = new UpdateBuffer(LIMITS);
				let log = new WrittenLog();
				let said = 0;
				const read: unknown[] = [];
				const readOn = async (more: number) => {
					read.push(...numbersOf(buffer.take()));
					const refilled = buffer.refill(signal);
					for (let count = 0; count < more; count++) say(buffer, log, ++said);
					await refilled;
				};
				for (const step of taken) {
					if (step === "say") say(buffer, log, ++said);
					if (step === "say other") log.write("other", { sessionUpdate: "agent_message_chunk", number: -1 });
					if (step === "other log") log = new WrittenLog();
					if (step === "read") await readOn(0);
					if (step === "refill while saying") await readOn(3);
				}
				while (!buffer.isEmpty) await readOn(0);
				expect(read).toEqual(Array.from({ length: said }, (_, index) => index + 1));
			}),
		);
	});
});
