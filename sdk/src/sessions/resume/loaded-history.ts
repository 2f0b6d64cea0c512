import type { SessionEvent } from "@sandbox-agent/core/session";
import { isObject, paramsOf } from "../../acp/envelope.ts";
import { REPLAY_PREFIX } from "../replay.ts";

/** Characters of an agent's account of the past that are kept for the comparison. */
const MOST_CHARACTERS = 1024 * 1024;

/** Of our prompts, how many of the last ones are looked for. */
const PROMPTS = 5;

/** Of a prompt, how much has to be found. */
const PREFIX_CHARACTERS = 200;

/** What an agent tells of a session while it loads it. Only what the user said is kept: it is what we know, too. */
export class LoadedHistory {
	#said = "";

	/** Whether the agent said nothing of the user. */
	get isEmpty(): boolean {
		return this.#said === "";
	}

	add(update: unknown): void {
		if (!isObject(update) || update.sessionUpdate !== "user_message_chunk") return;
		const { content } = update;
		if (!isObject(content) || typeof content.text !== "string") return;
		// The end counts: the newest prompts are the ones compared.
		this.#said = (this.#said + squeeze(content.text)).slice(-MOST_CHARACTERS);
	}

	/** Whether any of these prompts is in it. Without prompts to look for there is nothing that could differ. */
	hasAnyOf(prompts: readonly string[]): boolean {
		return prompts.length === 0 || prompts.some((prompt) => this.#said.includes(squeeze(prompt)));
	}
}

/** The texts of the last prompts that the agent has answered, by the session's events, newest first. */
export async function lastPrompts(newestFirst: AsyncIterable<SessionEvent>): Promise<string[]> {
	const ended = new Set<unknown>();
	const prompts: string[] = [];
	for await (const { payload } of newestFirst) {
		if (payload.method === undefined && isObject(payload.result) && "stopReason" in payload.result)
			ended.add(payload.id);
		if (payload.method !== "session/prompt" || !ended.has(payload.id)) continue;
		const text = textOf(paramsOf(payload).prompt);
		if (text !== "") prompts.push(text.slice(0, PREFIX_CHARACTERS));
		if (prompts.length >= PROMPTS) break;
	}
	return prompts;
}

/** The beginning of the text of one prompt, by its JSON-RPC id; `undefined` when it is not found, or has no text. */
export async function promptText(
	newestFirst: AsyncIterable<SessionEvent>,
	requestId: string,
): Promise<string | undefined> {
	for await (const { payload } of newestFirst) {
		if (payload.method !== "session/prompt" || payload.id !== requestId) continue;
		return textOf(paramsOf(payload).prompt).slice(0, PREFIX_CHARACTERS) || undefined;
	}
	return undefined;
}

function textOf(blocks: unknown): string {
	if (!Array.isArray(blocks)) return "";
	const texts = blocks.flatMap((block) => (isObject(block) && typeof block.text === "string" ? [block.text] : []));
	return texts.find((text) => !text.startsWith(REPLAY_PREFIX) && text.trim() !== "") ?? "";
}

/** Agents lay out what was said in their own way. */
function squeeze(text: string): string {
	return text.replaceAll(/\s+/g, "");
}
