import type { ScriptedAnswer } from "../answer.ts";
import type { Conversation } from "../conversation.ts";
import type { JsonObject } from "../json.ts";

/** One server-sent event; without a name it is an ordinary message. */
export interface SseEvent {
	readonly name?: string;
	readonly data: JsonObject | string;
}

/** What is fixed about one answer on the wire. */
export interface ReplyHead {
	readonly id: string;
	readonly model: string;
	readonly usage: { readonly input: number; readonly output: number };
}

/** A protocol in which agents talk to models. */
export interface ModelProtocol {
	readonly name: "anthropic-messages" | "chat-completions" | "openai-responses";
	/** Whether a POST to this path is a request of this protocol. Any prefix before it is accepted. */
	matches(path: string): boolean;
	read(body: JsonObject): Conversation;
	/** The answer as one document. */
	whole(answer: ScriptedAnswer, head: ReplyHead): JsonObject;
	/** The answer as a stream. `paced` cuts a text in pieces and puts the pauses and faults of the script between them. */
	events(
		answer: ScriptedAnswer,
		head: ReplyHead,
		paced: (text: string) => AsyncIterable<string>,
	): AsyncIterable<SseEvent>;
	error(status: number, message: string): JsonObject;
}
