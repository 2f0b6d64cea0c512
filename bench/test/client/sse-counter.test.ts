import { createParser } from "eventsource-parser";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SseCounter } from "../../src/client/sse-counter.ts";

function feed(counter: SseCounter, text: string, pieceBytes = Number.POSITIVE_INFINITY): SseCounter {
	const bytes = Buffer.from(text);
	for (let at = 0; at < bytes.length; at += pieceBytes)
		counter.push(bytes, at, Math.min(bytes.length, at + pieceBytes));
	return counter;
}

function event(id: number, data = "{}"): string {
	return `event: message\nid: ${id}\ndata: ${data}\n\n`;
}

describe("SseCounter", () => {
	it("counts messages and remembers the last id", () => {
		const counter = feed(new SseCounter(), event(1) + event(2) + event(3));
		expect(counter).toMatchObject({ events: 3, lastId: 3, announced: 0, repeated: 0 });
	});

	it("does not count heartbeats, other events and an unfinished event", () => {
		const counter = feed(new SseCounter(), `: heartbeat\n\nevent: reset\ndata: {}\n\n${event(1)}id: 2\ndata: {}\n`);
		expect(counter).toMatchObject({ events: 1, lastId: 1 });
	});

	it("does not count what lies before the start", () => {
		const counter = feed(new SseCounter({ after: 2 }), event(1) + event(2) + event(3));
		expect(counter).toMatchObject({ events: 1, lastId: 3, repeated: 2 });
	});

	it("adds up announced gaps, without what the reader had already", () => {
		const gap = 'event: gap\nid: 5\ndata: {"from":1,"to":5}\n\n';
		const counter = feed(new SseCounter(), event(1) + gap + event(5) + event(6));
		expect(counter).toMatchObject({ events: 2, announced: 4, repeated: 1, lastId: 6 });
	});

	it("hands out the data of counted events when asked to", () => {
		const seen: string[] = [];
		feed(new SseCounter({ after: 1, onData: (data) => seen.push(data) }), event(1, "a") + event(2, '{"b":"ü"}'), 1);
		expect(seen).toEqual(['{"b":"ü"}']);
	});

	it("counts what an event-stream parser counts, wherever the stream is cut", async () => {
		const line = fc.oneof(
			fc.nat(2_000).map((length) => event(0, "x".repeat(length))),
			fc.constantFrom(
				": heartbeat\n\n",
				"data: {}\n\n",
				"event: other\ndata: 1\n\n",
				"id: 7\n\n",
				"\n",
				"retry: 5\n\n",
			),
		);
		await fc.assert(
			fc.property(fc.array(line, { maxLength: 30 }), fc.integer({ min: 1, max: 3_000 }), (lines, pieceBytes) => {
				const text = lines.map((part, index) => part.replace("id: 0", `id: ${index + 1}`)).join("");
				let expected = 0;
				const parser = createParser({
					onEvent: ({ event: name }) => {
						if (name === undefined || name === "message") expected += 1;
					},
				});
				parser.feed(text);
				expect(feed(new SseCounter(), text, pieceBytes).events).toBe(expected);
			}),
		);
	});
});
