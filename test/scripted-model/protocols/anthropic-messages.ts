import type { ScriptedAnswer } from "../answer.ts";
import { type HistoryEntry, newestTurn } from "../conversation.ts";
import { contentText, isObject, type JsonObject, toObject, toObjects, toText } from "../json.ts";
import type { ModelProtocol, ReplyHead, SseEvent } from "./protocol.ts";

/** Clients hand thoughts back with their signature; any base64 text will do. */
const SIGNATURE = "c2NyaXB0ZWQ=";

const ERROR_TYPES: Record<number, string> = {
	400: "invalid_request_error",
	401: "authentication_error",
	403: "permission_error",
	404: "not_found_error",
	429: "rate_limit_error",
	529: "overloaded_error",
};

/** https://docs.anthropic.com/en/api/messages */
export const anthropicMessages: ModelProtocol = {
	name: "anthropic-messages",
	matches: (path) => path.endsWith("/messages"),
	read(body) {
		const format = toObject(toObject(body.output_config).format ?? body.output_format);
		return {
			model: toText(body.model),
			stream: body.stream === true,
			tools: toObjects(body.tools).map((tool) => ({ name: toText(tool.name), schema: toObject(tool.input_schema) })),
			schema: isObject(format.schema) ? format.schema : undefined,
			...newestTurn(toObjects(body.messages).flatMap(historyOf)),
		};
	},
	whole(answer, head) {
		return {
			...messageOf(head),
			content: blocksOf(answer),
			stop_reason: stopReason(answer),
			usage: usageOf(head, head.usage.output),
		};
	},
	async *events(answer, head, paced) {
		yield named({
			type: "message_start",
			message: { ...messageOf(head), content: [], stop_reason: null, usage: usageOf(head, 1) },
		});
		for (const [index, block] of blocksOf(answer).entries()) {
			yield named({ type: "content_block_start", index, content_block: emptied(block) });
			for await (const delta of deltasOf(block, paced)) yield named({ type: "content_block_delta", index, delta });
			yield named({ type: "content_block_stop", index });
		}
		yield named({
			type: "message_delta",
			delta: { stop_reason: stopReason(answer), stop_sequence: null },
			usage: { output_tokens: head.usage.output },
		});
		yield named({ type: "message_stop" });
	},
	error: (status, message) => ({ type: "error", error: { type: ERROR_TYPES[status] ?? "api_error", message } }),
};

function historyOf(message: JsonObject): HistoryEntry[] {
	if (message.role === "assistant") return [{ kind: "answer", text: contentText(message.content) }];
	if (message.role !== "user") return [];
	if (typeof message.content === "string") return [{ kind: "user", text: message.content }];
	return toObjects(message.content).flatMap((part): HistoryEntry[] => {
		if (part.type === "tool_result") return [{ kind: "result", text: contentText(part.content) }];
		return part.type === "text" ? [{ kind: "user", text: toText(part.text) }] : [];
	});
}

function messageOf(head: ReplyHead): JsonObject {
	return { id: head.id, type: "message", role: "assistant", model: head.model, stop_sequence: null };
}

function usageOf(head: ReplyHead, output: number): JsonObject {
	return {
		input_tokens: head.usage.input,
		output_tokens: output,
		cache_creation_input_tokens: 0,
		cache_read_input_tokens: 0,
	};
}

function stopReason(answer: ScriptedAnswer): string {
	return answer.call ? "tool_use" : "end_turn";
}

/** A content block of an answer. */
type Block =
	| { type: "thinking"; thinking: string; signature: string }
	| { type: "text"; text: string }
	| { type: "tool_use"; id: string; name: string; input: JsonObject };

function blocksOf(answer: ScriptedAnswer): Block[] {
	const blocks: Block[] = [];
	if (answer.thought !== undefined) blocks.push({ type: "thinking", thinking: answer.thought, signature: SIGNATURE });
	if (answer.text !== undefined) blocks.push({ type: "text", text: answer.text });
	if (answer.call) {
		const { id, name, arguments: input } = answer.call;
		blocks.push({ type: "tool_use", id: `toolu_${id}`, name, input });
	}
	return blocks;
}

/** The block as it is announced, before its deltas. */
function emptied(block: Block): Block {
	if (block.type === "text") return { ...block, text: "" };
	return block.type === "thinking" ? { ...block, thinking: "", signature: "" } : { ...block, input: {} };
}

async function* deltasOf(block: Block, paced: (text: string) => AsyncIterable<string>): AsyncIterable<JsonObject> {
	if (block.type === "tool_use") {
		yield { type: "input_json_delta", partial_json: JSON.stringify(block.input) };
	} else if (block.type === "text") {
		for await (const text of paced(block.text)) yield { type: "text_delta", text };
	} else {
		for await (const thinking of paced(block.thinking)) yield { type: "thinking_delta", thinking };
		yield { type: "signature_delta", signature: block.signature };
	}
}

/** Events of this protocol carry their type twice: as the name and inside. */
function named(data: JsonObject & { type: string }): SseEvent {
	return { name: data.type, data };
}
