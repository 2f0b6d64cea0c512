import type { SessionEvent } from "@sandbox-agent/core/session";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { REPLAY_PREFIX, Replay, type ReplayLimits } from "../../src/sessions/replay.ts";

const limits = { maxEvents: 50, maxChars: 12_000 };

function event(index: number, payload: SessionEvent["payload"], sender: "client" | "agent" = "agent"): SessionEvent {
	return { id: `e${index}`, eventIndex: index, sessionId: "s", createdAt: index, connectionId: "c", sender, payload };
}

function said(index: number, text: string): SessionEvent {
	const update = { sessionUpdate: "agent_message_chunk", content: { type: "text", text } };
	return event(index, { method: "session/update", params: { sessionId: "a", update } });
}

function prompted(index: number, ...texts: string[]): SessionEvent {
	const prompt = texts.map((text) => ({ type: "text", text }));
	return event(index, { id: `r${index}`, method: "session/prompt", params: { sessionId: "a", prompt } }, "client");
}

function buildReplay(newestFirst: readonly SessionEvent[], options: ReplayLimits) {
	const replay = new Replay(options);
	for (const item of newestFirst) if (!replay.add(item)) break;
	return replay.build();
}

function updated(index: number, update: object): SessionEvent {
	return event(index, { method: "session/update", params: { sessionId: "a", update } });
}

describe("the replay of a session", () => {
	it("is nothing without history", () => {
		expect(buildReplay([], limits)).toBeUndefined();
	});

	it("is one sentence and one JSON line per event, oldest first", () => {
		const lines = buildReplay([said(2, "hi"), prompted(1, "hello")], limits)?.text.split("\n") ?? [];
		expect(lines[0]).toMatch(new RegExp(`^${REPLAY_PREFIX}`));
		const events = lines.slice(1).map((line) => JSON.parse(line));
		expect(events.map((parsed) => Object.keys(parsed))).toEqual([
			["createdAt", "sender", "payload"],
			["createdAt", "sender", "payload"],
		]);
		expect(events.map((parsed) => parsed.createdAt)).toEqual([1, 2]);
	});

	it("keeps the newest events when not all fit, and says so [sdk-replay-newest]", () => {
		const events = Array.from({ length: 100 }, (_, index) => prompted(100 - index, `word${100 - index}`));
		const { text, truncated } = buildReplay(events, { maxEvents: 3, maxChars: 12_000 }) ?? {};
		expect(truncated).toBe(true);
		expect(text).toContain("[history truncated]");
		expect(text).toContain("word98");
		expect(text).not.toContain("word97");
	});

	it("is not used up by one huge message [sdk-replay-newest]", () => {
		const events = [prompted(3, "newest"), said(2, "x".repeat(20_000)), prompted(1, "oldest")];
		const text = buildReplay(events, limits)?.text;
		expect(text).toContain("newest");
		expect(text).toContain("oldest");
		expect(text).toContain("[history truncated]");
	});

	it("leaves out earlier replays and the noise of the protocol [sdk-replay-newest]", () => {
		const noise = [
			event(6, { id: "r5", result: {} }),
			event(5, { id: "r5", method: "session/set_mode", params: {} }, "client"),
			event(4, { method: "session/update", params: { update: { sessionUpdate: "available_commands_update" } } }),
			event(2, { id: "r1", method: "session/new", params: {} }, "client"),
		];
		const text = buildReplay(
			[...noise.slice(0, 3), prompted(3, `${REPLAY_PREFIX} old`, "now"), ...noise.slice(3)],
			limits,
		)?.text;
		expect(text?.split("\n")).toHaveLength(2);
		expect(text?.split("\n")[1]).not.toContain(REPLAY_PREFIX);
		expect(text).toContain("now");
	});

	it("tells pieces of one text as one, and a tool call with its updates as one [sdk-replay-newest]", () => {
		const call = (more: object) => ({ toolCallId: "t", ...more });
		const events = [
			said(7, "two"),
			said(6, "one "),
			updated(5, call({ sessionUpdate: "tool_call_update", status: "completed" })),
			updated(4, call({ sessionUpdate: "tool_call_update", title: "touch x" })),
			updated(3, call({ sessionUpdate: "tool_call", title: "Terminal", status: "pending", kind: "execute" })),
			said(2, "zero"),
		];
		const lines = buildReplay(events, limits)?.text.split("\n").slice(1) ?? [];
		const updates = lines.map((line) => JSON.parse(line).payload.params.update);
		expect(updates).toEqual([
			{ sessionUpdate: "agent_message_chunk", content: { type: "text", text: "zero" } },
			call({ sessionUpdate: "tool_call", title: "touch x", status: "completed", kind: "execute" }),
			{ sessionUpdate: "agent_message_chunk", content: { type: "text", text: "one two" } },
		]);
	});

	it("never exceeds its limits", () => {
		fc.assert(
			fc.property(
				fc.array(fc.string({ maxLength: 400 }), { maxLength: 60 }),
				fc.integer({ min: 1, max: 40 }),
				fc.integer({ min: 300, max: 5_000 }),
				(texts, maxEvents, maxChars) => {
					const text = buildReplay(
						texts.map((value, index) => said(texts.length - index, value)),
						{ maxEvents, maxChars },
					)?.text;
					expect((text ?? "").length).toBeLessThanOrEqual(maxChars);
					expect((text ?? "").split("\n").filter((line) => line.startsWith("{")).length).toBeLessThanOrEqual(maxEvents);
				},
			),
		);
	});
});
