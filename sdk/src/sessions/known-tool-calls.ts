import type { ToolCallUpdate } from "@agentclientprotocol/sdk";
import { isObject } from "../acp/envelope.ts";

/** Tool calls of one session that are remembered; older ones are forgotten. */
const REMEMBERED = 256;

/**
 * What an agent has told of its tool calls so far. Some agents name the tool in an earlier update than the one they ask
 * with, and a policy has to know both.
 */
export class KnownToolCalls {
	readonly #calls = new Map<string, { readonly [member: string]: unknown }>();

	/** Takes an update of the session; other kinds are ignored. */
	add(update: unknown): void {
		if (!isObject(update) || typeof update.toolCallId !== "string") return;
		if (update.sessionUpdate !== "tool_call" && update.sessionUpdate !== "tool_call_update") return;
		const { sessionUpdate: _, ...told } = update;
		this.#calls.set(update.toolCallId, { ...this.#calls.get(update.toolCallId), ...told });
		if (this.#calls.size <= REMEMBERED) return;
		const [oldest] = this.#calls.keys();
		if (oldest !== undefined) this.#calls.delete(oldest);
	}

	/** A tool call with everything that is known of it; what it says itself counts. */
	complete(toolCall: ToolCallUpdate): ToolCallUpdate {
		return { ...this.#calls.get(toolCall?.toolCallId), ...toolCall };
	}
}
