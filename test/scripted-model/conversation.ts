import type { JsonObject } from "./json.ts";

/** A tool that the agent lets the model call. */
export interface OfferedTool {
	readonly name: string;
	/** JSON schema of the arguments. */
	readonly schema: JsonObject;
}

/** What the script needs to know of a request, whatever its protocol. */
export interface Conversation {
	readonly model: string;
	readonly stream: boolean;
	readonly tools: readonly OfferedTool[];
	/** The newest words of the user, without what the agent wrapped around them. */
	readonly prompt: string;
	/** The results of the tools called since that prompt. */
	readonly results: readonly string[];
	/** Everything the request holds of the conversation, notes of the agent included. */
	readonly history: readonly HistoryEntry[];
	/** Schema of the JSON that the answer must be, for requests that ask for JSON. */
	readonly schema: JsonObject | undefined;
}

/** One thing in the history of a conversation, in order. */
export type HistoryEntry = { readonly kind: "user" | "answer" | "result"; readonly text: string };

/** Notes that agents add to the words of the user. */
const AGENT_NOTES = /<(system-reminder|environment_context)>[\s\S]*?<\/\1>/g;

/**
 * Finds the newest words of the user and the tool results after them. An entry that holds nothing but notes of the agent
 * is not the prompt.
 */
export function newestTurn(history: readonly HistoryEntry[]): Pick<Conversation, "prompt" | "results" | "history"> {
	const entries = history.map(({ kind, text }) => ({
		kind,
		text: kind === "user" ? text.replace(AGENT_NOTES, "").trim() : text,
	}));
	const index = entries.findLastIndex(({ kind, text }) => kind === "user" && text !== "");
	return {
		history,
		prompt: entries[index]?.text ?? "",
		results: entries.slice(index + 1).flatMap(({ kind, text }) => (kind === "result" ? [text] : [])),
	};
}
