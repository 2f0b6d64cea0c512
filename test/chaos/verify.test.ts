import type { NewSessionEvent } from "@sandbox-agent/core/session";
import { InMemorySessionPersistDriver, type TurnRecord } from "sandbox-agent";
import { expect, it } from "vitest";
import type { ReceivedPrompt } from "./agents.ts";
import { Ledger } from "./ledger.ts";
import { blocksOf } from "./prompts.ts";
import { verify } from "./verify.ts";

const KEY = "s1-1";
const PROMPT = { key: KEY, text: "slow 100" };

/** What one completed turn leaves behind, before something is made wrong with it. */
function completed() {
	const event = (id: string, payload: NewSessionEvent["payload"], line?: number): NewSessionEvent => ({
		id,
		sessionId: "s1",
		createdAt: 1,
		connectionId: "c",
		sender: line === undefined ? "client" : "agent",
		payload,
		...(line === undefined ? {} : { log: { epoch: "e", id: line } }),
	});
	const say = (step: number) =>
		event(
			`line ${step}`,
			{
				method: "session/update",
				params: { update: { sessionUpdate: "agent_message_chunk", content: { type: "text", text: `${step}0 % ` } } },
			},
			step,
		);
	const events = [
		event("prompt", { method: "session/prompt", id: "r", params: { prompt: blocksOf(PROMPT) } }),
		...Array.from({ length: 10 }, (_, index) => say(index + 1)),
		event("reply", { id: "r", result: { stopReason: "end_turn" } }, 11),
	];
	const turn: TurnRecord = {
		id: KEY,
		sessionId: "s1",
		state: "completed",
		requestId: "r",
		connectionId: "c",
		agentSessionId: "a",
		promptHash: "",
		createdAt: 10_000,
		endedAt: 20_000,
	};
	const received: ReceivedPrompt[] = [{ key: KEY, text: PROMPT.text, pid: 1, at: 15_000 }];
	const ledger = new Ledger("seed", 1);
	ledger.asked.set(KEY, {
		...PROMPT,
		sessionId: "s1",
		ending: { sessionId: "s1", key: KEY, state: "completed", told: "resolved" },
	});
	return { events, turn, received, ledger };
}

type Left = ReturnType<typeof completed>;

async function brokenIn(left: Left): Promise<string[]> {
	const driver = new InMemorySessionPersistDriver();
	await driver.write({ sessionId: "s1", events: left.events, turns: [left.turn] });
	const { broken } = await verify(driver, left.ledger, left.received);
	return [...new Set(broken.map(({ promise }) => promise))];
}

it("finds nothing wrong where nothing is", async () => {
	expect(await brokenIn(completed())).toEqual([]);
});

it.each<[string, string[], (left: Left) => void]>([
	["a reply is missing", ["once"], ({ events }) => events.pop()],
	["an update is missing", ["whole"], ({ events }) => events.splice(4, 1)],
	["lines stand in the wrong order", ["order", "whole"], ({ events }) => events.splice(4, 0, ...events.splice(5, 1))],
	["a prompt has reached agents twice", ["sent"], ({ received }) => received.push(...received)],
	["a prompt has reached no agent", ["sent"], ({ received }) => received.pop()],
	["a turn is open", ["once"], ({ turn }) => delete turn.endedAt],
	[
		"a caller was told another end",
		["settled"],
		({ turn }) => Object.assign(turn, { state: "cancelled", endedAt: 20_000 }),
	],
	[
		"nothing explains a turn of unknown outcome",
		["settled", "explained"],
		({ turn, ledger }) => {
			turn.state = "unknown";
			ledger.faults.push({ kind: "connections cut", at: 15_000 }, { kind: "server killed", at: 25_000 });
		},
	],
	["a prompt that was asked has no turn", ["once"], ({ turn }) => Object.assign(turn, { id: "s1-2" })],
])("finds out that %s", async (_what, promises, spoil) => {
	const left = completed();
	spoil(left);
	expect(await brokenIn(left)).toEqual(expect.arrayContaining(promises));
});
