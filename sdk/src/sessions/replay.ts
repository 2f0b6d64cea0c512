import type { SessionEvent } from "@sandbox-agent/core/session";
import { isObject, paramsOf } from "../acp/envelope.ts";

/** First words of a replay block; user interfaces hide blocks that begin so. */
export const REPLAY_PREFIX = "Previous session history is replayed below";

const INTRODUCTION = `${REPLAY_PREFIX} as JSON-RPC envelopes. Use it as context before responding to the latest user prompt.`;

/** Stands where older or oversized messages were left out. */
const TRUNCATED = "[history truncated]";

/** Updates that carry what was said and done; all others are about the session itself. */
const TELLING_UPDATES = new Set(["user_message_chunk", "agent_message_chunk", "tool_call", "tool_call_update", "plan"]);

/** Limits of a replay. */
export interface ReplayLimits {
	/** Events at most. */
	readonly maxEvents: number;
	/** Length of the text at most, in UTF-16 units. */
	readonly maxChars: number;
}

/** What an agent in a new session is told. */
export interface ReplayText {
	readonly text: string;
	/** Whether something was left out. */
	readonly truncated: boolean;
}

/**
 * The text that tells an agent in a new session what was said before: one sentence, then one JSON line per event, oldest
 * first. The newest events are kept when not all fit. Protocol noise and earlier replays are left out.
 *
 * @param newestFirst events of the session, the newest first
 * @returns `undefined` when there is nothing to tell
 */
export function buildReplay(newestFirst: readonly SessionEvent[], limits: ReplayLimits): ReplayText | undefined {
	const lines: string[] = [];
	let left = limits.maxChars - INTRODUCTION.length - TRUNCATED.length - 1;
	let truncated = false;
	for (const event of newestFirst) {
		const payload = tellingPayload(event);
		if (!payload) continue;
		if (lines.length >= limits.maxEvents) {
			truncated = true;
			break;
		}
		const line = JSON.stringify({ createdAt: event.createdAt, sender: event.sender, payload });
		if (line.length + 1 > left) {
			truncated = true;
			// One huge message does not keep out the smaller ones before it, as long as there is room worth filling.
			if (left < limits.maxChars / 4) break;
			continue;
		}
		left -= line.length + 1;
		lines.push(line);
	}
	if (lines.length === 0 && !truncated) return undefined;
	return { text: [INTRODUCTION, ...(truncated ? [TRUNCATED] : []), ...lines.reverse()].join("\n"), truncated };
}

/** Whether the replay would use this event: for readers that page through a long history. */
export function isTelling(event: SessionEvent): boolean {
	return tellingPayload(event) !== undefined;
}

function tellingPayload(event: SessionEvent): unknown {
	const { payload } = event;
	if (payload.method === "session/prompt") return withoutReplay(payload);
	if (payload.method === "session/update") {
		const { update } = paramsOf(payload);
		return isObject(update) && TELLING_UPDATES.has(String(update.sessionUpdate)) ? payload : undefined;
	}
	if (payload.method !== undefined) return undefined;
	// Of the replies only those that end a turn say something.
	return isObject(payload.result) && "stopReason" in payload.result ? payload : undefined;
}

/** A prompt without the replay it may have carried, so that replays do not nest. */
function withoutReplay(payload: SessionEvent["payload"]): SessionEvent["payload"] {
	const params = paramsOf(payload);
	if (!Array.isArray(params.prompt)) return payload;
	const blocks: unknown[] = params.prompt;
	const prompt = blocks.filter((block) => !isReplayBlock(block));
	return prompt.length === blocks.length ? payload : { ...payload, params: { ...params, prompt } };
}

function isReplayBlock(block: unknown): boolean {
	return isObject(block) && typeof block.text === "string" && block.text.startsWith(REPLAY_PREFIX);
}
