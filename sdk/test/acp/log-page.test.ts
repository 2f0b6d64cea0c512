import { describe, expect, it } from "vitest";
import { readLogPage } from "../../src/acp/log-page.ts";
import { type Answer, gone, line, setUp, stream } from "../support/log-server.ts";

/** Reads lines 3 to 6 of a log of epoch `e`. */
async function read(answers: Answer[], options: { pageSize?: number; signal?: AbortSignal } = {}) {
	await using at = await setUp(answers);
	const told: string[] = [];
	const last = await readLogPage(
		{ link: at.link, path: "/v1/acp/x", epoch: "e" },
		{
			after: 2,
			to: 6,
			signal: options.signal ?? new AbortController().signal,
			onLine: (data) => told.push(data) < (options.pageSize ?? 100),
			onGap: ({ from, to }) => told.push(`gap ${from}-${to}`),
		},
	);
	return { told, last, requests: at.requests };
}

const rest = [3, 4, 5, 6, 7, 8].map((id) => line(id));

describe("a page of an event log", () => {
	it("goes on behind a line and ends with the last one that was asked for", async () => {
		const { told, last, requests } = await read([stream("e", rest)]);
		expect(told).toEqual(["l3", "l4", "l5", "l6"]);
		expect(last).toBe(6);
		expect(requests[0]).toMatchObject({ "last-event-id": "2", "sandbox-agent-log": "e" });
	});

	it("ends early when it is full", async () => {
		const { told, last } = await read([stream("e", rest)], { pageSize: 2 });
		expect(told).toEqual(["l3", "l4"]);
		expect(last).toBe(4);
	});

	it("survives a broken stream", async () => {
		const { told } = await read([stream("e", [line(3)], { end: "cut" }), stream("e", [line(3), line(4), line(6)])]);
		expect(told).toEqual(["l3", "l4", "gap 5-5", "l6"]);
	});

	it("tells what is not retained any more, and nothing behind its end [sdk-gap-told]", async () => {
		const gap = 'event: gap\nid: 9\ndata: {"from":3,"to":9}\n\n';
		expect(await read([stream("e", [gap, line(10)])])).toMatchObject({ told: ["gap 3-6"], last: 6 });
	});

	it.each([
		["gone", gone],
		["replaced", stream("f", [line(1)])],
	])("tells all that is left as lost when the log is %s [sdk-gap-told]", async (_, answer) => {
		expect(await read([stream("e", [line(3)], { end: "cut" }), answer])).toMatchObject({
			told: ["l3", "gap 4-6"],
			last: 6,
		});
	});

	it("ends with the reason of an abort", async () => {
		const signal = AbortSignal.abort(new Error("enough"));
		await expect(read([stream("e", rest)], { signal })).rejects.toThrow("enough");
	});
});
