import { createParser } from "eventsource-parser";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EventLog, encodeServerSentEvents, type RecordKind } from "../../src/log/index.ts";
import { record, records, text } from "./support.ts";

async function encode(log: EventLog, after = 0, includeClient = false): Promise<string> {
	return text({ data: encodeServerSentEvents(await log.reader({ after }, { includeClient }).read(10_000_000)) });
}

function parse(stream: string): { event: string | undefined; id: string | undefined; data: string }[] {
	const events: { event: string | undefined; id: string | undefined; data: string }[] = [];
	const parser = createParser({ onEvent: ({ event, id, data }) => void events.push({ event, id, data }) });
	parser.feed(stream);
	return events;
}

describe("encodeServerSentEvents", () => {
	it("names the events and gives ids to numbered records only", async () => {
		const log = EventLog.open({ directory: undefined });
		log.append([record('{"a":1}'), record('{"b":2}', "client"), record('{"c":3}', "adapter")]);
		expect(await encode(log, 0, true)).toBe(
			'event: message\nid: 1\ndata: {"a":1}\n\nevent: client\ndata: {"b":2}\n\nevent: message\nid: 2\ndata: {"c":3}\n\n',
		);
	});

	it("gives no bytes for an empty batch", async () => {
		const log = EventLog.open({ directory: undefined });
		expect(encodeServerSentEvents(await log.reader({ after: 0 }).read(100)).byteLength).toBe(0);
	});

	it("counts ids over every change in the number of digits", async () => {
		const log = EventLog.open({ directory: undefined });
		log.append(records(1, 1200));
		const events = parse(await encode(log));
		expect(events.map((event) => event.id)).toEqual(Array.from({ length: 1200 }, (_, index) => String(index + 1)));
		expect(events.map((event) => event.data)).toEqual(records(1, 1200).map(text));
	});

	it("announces a gap with the id behind which to resume [log/gap]", async () => {
		const log = EventLog.open({ directory: undefined, memoryBytes: 0 });
		log.append(records(1, 500));
		log.append([record("last")]);
		expect(await encode(log)).toBe(
			'event: gap\nid: 500\ndata: {"from":1,"to":500}\n\nevent: message\nid: 501\ndata: last\n\n',
		);
	});

	it("adds the number of client records that are missing, for those who read them", async () => {
		const log = EventLog.open({ directory: undefined, memoryBytes: 0 });
		const reader = log.reader({ after: 0 }, { includeClient: true });
		log.append([record("c", "client"), record("x".repeat(5000))]);
		log.append([record("y".repeat(9000))]);
		const [gap] = parse(text({ data: encodeServerSentEvents(await reader.read(100)) }));
		expect(gap).toEqual({ event: "gap", id: "1", data: '{"from":1,"to":1,"clientRecords":1}' });
	});

	it("sends a carriage return as a space, so that JSON keeps its value and the log its bytes", async () => {
		const log = EventLog.open({ directory: undefined });
		log.append([record('{"a":\r1}\r'), record('{"b":2}')]);
		expect(parse(await encode(log)).map((event) => JSON.parse(event.data))).toEqual([{ a: 1 }, { b: 2 }]);
		const [first] = [...(await log.reader({ after: 0 }).read(100)).records()];
		expect(text(first ?? record(""))).toBe('{"a":\r1}\r');
	});

	it("lets no client record begin an event of its own", async () => {
		const log = EventLog.open({ directory: undefined });
		log.append([record('{\n\n"event": 1\r\n}', "client")]);
		const events = parse(await encode(log, 0, true));
		expect(events).toHaveLength(1);
		expect(JSON.parse(events[0]?.data ?? "")).toEqual({ event: 1 });
	});

	it("is read back by an event source parser, whatever the lines and the cut of batches", async () => {
		await fc.assert(
			fc.asyncProperty(
				fc.array(fc.tuple(fc.constantFrom<RecordKind>("agent", "adapter", "client"), fc.json()), { maxLength: 60 }),
				fc.nat(400),
				async (lines, maxBytes) => {
					const log = EventLog.open({ directory: undefined });
					log.append(lines.map(([kind, line]) => record(line, kind)));
					const reader = log.reader({ after: 0 }, { includeClient: true });
					let stream = "";
					for (let batch = await reader.read(maxBytes); !batch.isEmpty; batch = await reader.read(maxBytes)) {
						stream += text({ data: encodeServerSentEvents(batch) });
					}
					const events = parse(stream);
					expect(events.map((event) => event.data)).toEqual(lines.map(([, line]) => line));
					expect(events.map((event) => event.event)).toEqual(
						lines.map(([kind]) => (kind === "client" ? "client" : "message")),
					);
				},
			),
		);
	});
});
