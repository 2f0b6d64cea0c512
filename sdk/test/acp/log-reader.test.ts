import { describe, expect, it } from "vitest";
import { gone, line, setUp, stream } from "../support/log-server.ts";

const running = new AbortController().signal;

describe("the reader of an event log", () => {
	it("resumes by cursor and epoch, and tells each line once [sdk-stream-reconnects]", async () => {
		await using at = await setUp([
			stream("e", [line(1), line(2)], { end: "cut" }),
			stream("e", [line(2), line(3)], { end: "clean" }),
			gone,
		]);
		expect(await at.reader.run(running)).toMatchObject({ kind: "gone" });
		expect(at.told).toEqual(["e/1 l1", "e/2 l2", "e/3 l3"]);
		expect(at.requests.map((headers) => headers["last-event-id"])).toEqual([undefined, "2", "3"]);
		expect(at.requests[1]?.["sandbox-agent-log"]).toBe("e");
	});

	it("asks again when nothing answers on a connection that died silently [sdk-half-open]", async () => {
		const nothing = () => undefined;
		await using at = await setUp([nothing, stream("e", [line(1)], { end: "clean" }), gone], { answerMs: 50 });
		at.link.isKeyed = true;
		await at.reader.run(running);
		expect(at.told).toEqual(["e/1 l1"]);
	});

	it("tells what is lost, announced or not [sdk-gap-told]", async () => {
		await using at = await setUp([
			stream("e", ['event: gap\nid: 4\ndata: {"from":1,"to":4}\n\n', line(5), line(8)], { end: "clean" }),
			gone,
		]);
		await at.reader.run(running);
		expect(at.told).toEqual(["gap 1-4", "e/5 l5", "gap 6-7", "e/8 l8"]);
	});

	it.each([
		["a reset", stream("e", ['event: reset\ndata: {"epoch":"f","first":1}\n\n', line(1, "other")])],
		["another epoch", stream("f", [line(1, "other")])],
		["no epoch any more", stream(undefined, [line(1, "other")])],
	])("ends at %s: the log is another one [sdk-log-replaced]", async (_, second) => {
		await using at = await setUp([stream("e", [line(1)], { end: "cut" }), second]);
		expect(await at.reader.run(running)).toMatchObject({ kind: "gone", error: { code: "session_not_found" } });
		expect(at.told).toEqual(["e/1 l1"]);
	});

	it("waits for a connection that may still come into being", async () => {
		let tries = 0;
		await using at = await setUp([gone, gone, stream("e", [line(1)], { end: "clean" }), gone], {
			mayAppear: () => tries++ < 2,
		});
		await at.reader.run(running);
		expect(at.told).toEqual(["e/1 l1"]);
	});

	it("says that the log is not kept on disk, and ignores events it does not know", async () => {
		await using at = await setUp([
			stream(
				"e",
				["event: degraded\ndata: {}\n\n", "event: client\ndata: {}\n\n", "event: new\ndata: x\n\n", line(1)],
				{
					end: "clean",
				},
			),
			gone,
		]);
		await at.reader.run(running);
		expect(at.told).toEqual(["the event log is not on disk", "e/1 l1"]);
	});

	it("replaces a stream that stays silent [sdk-half-open]", async () => {
		await using at = await setUp([stream("e", [line(1)]), stream("e", [line(2)], { end: "clean" }), gone], {
			idleMs: 50,
		});
		await at.reader.run(running);
		expect(at.told).toEqual(["e/1 l1", "e/2 l2"]);
	});

	it("stops when it is told to", async () => {
		await using at = await setUp([stream("e", [line(1)])]);
		const stop = new AbortController();
		const end = at.reader.run(stop.signal);
		stop.abort();
		expect(await end).toEqual({ kind: "stopped" });
	});

	it("gives up at once on a token that is refused", async () => {
		await using at = await setUp([
			(response) => {
				response.writeHead(401, { "content-type": "application/problem+json" });
				response.end('{"type":"urn:sandbox-agent:error:token_invalid","title":"Token Invalid","status":401}');
			},
		]);
		expect(await at.reader.run(running)).toMatchObject({ kind: "lost", error: { code: "token_invalid" } });
	});
});
