import type { StopReason } from "@agentclientprotocol/sdk";
import { ALONE, type MockWord } from "../word.ts";

const DEFAULT_SLOW_MS = 5000;
const SLOW_STEPS = 10;

export const slow: MockWord = {
	name: "slow",
	argument: "[<milliseconds>]",
	description: `Takes its time, ${DEFAULT_SLOW_MS} ms by default, and says so in ${SLOW_STEPS} steps. Can be cancelled.`,
	pattern: /^(\d{1,9})?$/,
	async run(turn, match) {
		const total = Number(match[1] ?? DEFAULT_SLOW_MS);
		for (let step = 1; step <= SLOW_STEPS; step++) {
			await turn.pause(total / SLOW_STEPS);
			await turn.say(`${step * SLOW_STEPS} % `);
		}
		return undefined;
	},
};

export const hang: MockWord = {
	name: "hang",
	argument: "",
	description: "Says one thing and never ends the turn, until it is cancelled.",
	pattern: ALONE,
	async run(turn) {
		await turn.say("I wait for a cancel.");
		return new Promise<never>((_, reject) => {
			turn.signal.addEventListener("abort", () => reject(turn.signal.reason), { once: true });
		});
	},
};

const DEFAULT_FLOOD_BYTES = 200;

export const flood: MockWord = {
	name: "flood",
	argument: "<count> [<bytes>]",
	description: `Sends that many chunks, of ${DEFAULT_FLOOD_BYTES} bytes by default, as fast as it can. They are not replayed later.`,
	pattern: /^(\d{1,8})(?:\s+(\d{1,8}))?$/,
	async run(turn, match) {
		const count = Number(match[1]);
		const bytes = Number(match[2] ?? DEFAULT_FLOOD_BYTES);
		for (let index = 1; index <= count; index++) {
			const text = `${index} `.padEnd(bytes, ".").slice(0, bytes);
			await turn.sendOnly({ sessionUpdate: "agent_message_chunk", content: { type: "text", text } });
		}
		return undefined;
	},
};

const STOP_REASONS: Record<string, StopReason> = {
	refusal: "refusal",
	max_tokens: "max_tokens",
	max_turn_requests: "max_turn_requests",
};

export const stop: MockWord = {
	name: "stop",
	argument: "<refusal|max_tokens|max_turn_requests>",
	description: "Ends the turn for that reason.",
	pattern: /^(refusal|max_tokens|max_turn_requests)$/,
	async run(turn, match) {
		await turn.say("I stop here.");
		return STOP_REASONS[match[1] ?? ""];
	},
};

export const error: MockWord = {
	name: "error",
	argument: "[<text>]",
	description: "Says one thing, then fails the turn with that message.",
	pattern: /^([\s\S]*)$/,
	async run(turn, match) {
		await turn.say("This turn is about to fail.");
		throw new MockFailure(match[1] || "the mock agent was asked to fail");
	},
};

/** A failure the user asked for. */
export class MockFailure extends Error {}

export const crash: MockWord = {
	name: "crash",
	argument: "[<exit code>]",
	description: "Says one thing, then ends the whole agent in the middle of the turn, with exit code 1 by default.",
	pattern: /^(\d{1,3})?$/,
	async run(turn, match) {
		await turn.say("I am about to crash.");
		turn.crash(Number(match[1] ?? 1), "the mock agent was asked to crash\n");
		// The turn of an agent that has ended never answers.
		return new Promise<never>(() => undefined);
	},
};
