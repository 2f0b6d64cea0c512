import type { SessionEvent } from "@sandbox-agent/core/session";
import { isObject, paramsOf } from "../acp/envelope.ts";

/** First words of a replay block; user interfaces hide blocks that begin so. */
export const REPLAY_PREFIX = "Previous session history is replayed below";

const INTRODUCTION = `${REPLAY_PREFIX} as JSON-RPC envelopes. Use it as context before responding to the latest user prompt.`;

/** Stands where older or oversized messages were left out. */
const TRUNCATED = "[history truncated]";

/** Texts that come in pieces: pieces that follow one another become one message. */
const CHUNKS = new Set(["user_message_chunk", "agent_message_chunk"]);

/** Limits of a replay. */
export interface ReplayLimits {
	/** Messages at most. */
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

/** One message of a replay, and what it is made of. */
interface Message {
	createdAt: number;
	readonly sender: SessionEvent["sender"];
	payload: { readonly [member: string]: unknown };
	/** Kind of the text it is a piece of; pieces before it are put in front. */
	readonly chunk?: string | undefined;
}

/**
 * Makes the text that tells an agent in a new session what was said before: one sentence, then one JSON line per message,
 * oldest first. Pieces of one text are one message, and so are a tool call and its updates. The newest messages are kept
 * when not all fit. Protocol noise and earlier replays are left out.
 */
export class Replay {
	readonly #limits: ReplayLimits;
	/** Newest first. */
	readonly #messages: Message[] = [];
	readonly #toolCalls = new Map<unknown, Message>();
	#characters = 0;
	#isFull = false;

	constructor(limits: ReplayLimits) {
		this.#limits = limits;
	}

	/**
	 * Takes the next older event.
	 * @returns whether there is room for more
	 */
	add(event: SessionEvent): boolean {
		if (this.#isFull) return false;
		const { payload } = event;
		const update = payload.method === "session/update" ? paramsOf(payload).update : undefined;
		if (isObject(update)) this.#addUpdate(event, update);
		else if (payload.method === "session/prompt") this.#push({ ...event, payload: withoutReplay(payload) });
		// Of the replies only those that end a turn say something.
		else if (payload.method === undefined && isObject(payload.result) && "stopReason" in payload.result)
			this.#push(event);
		return !this.#isFull;
	}

	/** @returns `undefined` when there is nothing to tell */
	build(): ReplayText | undefined {
		const { maxChars } = this.#limits;
		let left = maxChars - INTRODUCTION.length - TRUNCATED.length - 1;
		let truncated = this.#isFull;
		const lines: string[] = [];
		for (const { createdAt, sender, payload } of this.#messages) {
			const line = JSON.stringify({ createdAt, sender, payload });
			if (line.length + 1 <= left) {
				left -= line.length + 1;
				lines.push(line);
				continue;
			}
			truncated = true;
			// One huge message does not keep out the smaller ones before it, as long as there is room worth filling.
			if (left < maxChars / 4) break;
		}
		if (lines.length === 0 && !truncated) return undefined;
		return { text: [INTRODUCTION, ...(truncated ? [TRUNCATED] : []), ...lines.reverse()].join("\n"), truncated };
	}

	#addUpdate(event: SessionEvent, update: { readonly [member: string]: unknown }): void {
		const kind = String(update.sessionUpdate);
		if (CHUNKS.has(kind)) this.#addChunk(event, kind, update);
		else if (kind === "tool_call" || kind === "tool_call_update") this.#addToolCall(event, update);
		else if (kind === "plan") this.#push(event);
	}

	#addChunk(event: SessionEvent, kind: string, update: { readonly [member: string]: unknown }): void {
		const newer = this.#messages.at(-1);
		const text = textOf(update);
		if (text === undefined || newer?.chunk !== kind) {
			this.#push({ ...event, payload: updatePayload(update), chunk: text === undefined ? undefined : kind });
			return;
		}
		this.#characters += text.length;
		newer.createdAt = event.createdAt;
		const rest = textOf(updateOf(newer.payload)) ?? "";
		newer.payload = updatePayload({ ...update, content: { type: "text", text: text + rest } });
		this.#measure();
	}

	/** What an older update of the same call tells is used where the newer ones do not say it. */
	#addToolCall(event: SessionEvent, update: { readonly [member: string]: unknown }): void {
		const newer = this.#toolCalls.get(update.toolCallId);
		if (newer) {
			newer.payload = updatePayload({ ...update, ...updateOf(newer.payload), sessionUpdate: "tool_call" });
			return;
		}
		const message = { ...event, payload: updatePayload({ ...update, sessionUpdate: "tool_call" }) };
		this.#toolCalls.set(update.toolCallId, this.#push(message));
	}

	#push({ createdAt, sender, payload, chunk }: Message): Message {
		const message = { createdAt, sender, payload, chunk };
		if (this.#messages.length >= this.#limits.maxEvents) {
			this.#isFull = true;
			return message;
		}
		this.#messages.push(message);
		this.#characters += JSON.stringify(payload).length;
		this.#measure();
		return message;
	}

	/** What is far beyond the limit need not be read. */
	#measure(): void {
		if (this.#characters > 4 * this.#limits.maxChars) this.#isFull = true;
	}
}

function updatePayload(update: { readonly [member: string]: unknown }): Message["payload"] {
	return { method: "session/update", params: { update } };
}

function updateOf(payload: Message["payload"]): { readonly [member: string]: unknown } {
	const { update } = paramsOf(payload);
	return isObject(update) ? update : {};
}

function textOf({ content }: { readonly [member: string]: unknown }): string | undefined {
	return isObject(content) && content.type === "text" && typeof content.text === "string" ? content.text : undefined;
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
