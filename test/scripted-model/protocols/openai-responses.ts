import type { ScriptedAnswer } from "../answer.ts";
import { type HistoryEntry, newestTurn } from "../conversation.ts";
import { contentText, isObject, type JsonObject, toObject, toObjects, toText } from "../json.ts";
import { openAiError } from "./openai-error.ts";
import type { ModelProtocol, ReplyHead, SseEvent } from "./protocol.ts";

/** Clients hand thoughts back as they got them; any base64 text will do. */
const ENCRYPTED_THOUGHT = "c2NyaXB0ZWQ=";

/** https://platform.openai.com/docs/api-reference/responses */
export const openAiResponses: ModelProtocol = {
	name: "openai-responses",
	matches: (path) => path.endsWith("/responses"),
	read(body) {
		const { schema } = toObject(toObject(body.text).format);
		return {
			model: toText(body.model),
			stream: body.stream === true,
			tools: toObjects(body.tools)
				.filter(({ type }) => type === "function")
				.map((tool) => ({ name: toText(tool.name), schema: toObject(tool.parameters) })),
			schema: isObject(schema) ? schema : undefined,
			...newestTurn(
				typeof body.input === "string"
					? [{ kind: "user", text: body.input }]
					: toObjects(body.input).flatMap(historyOf),
			),
		};
	},
	whole: (answer, head) => responseOf(head, "completed", itemsOf(answer, head)),
	async *events(answer, head, paced) {
		let sequence = 0;
		const event = (type: string, data: JsonObject): SseEvent => {
			sequence += 1;
			return { name: type, data: { type, sequence_number: sequence, ...data } };
		};
		yield event("response.created", { response: responseOf(head, "in_progress", []) });
		const items = itemsOf(answer, head);
		for (const [output_index, item] of items.entries()) {
			const at = { item_id: item.id, output_index };
			yield event("response.output_item.added", { output_index, item: emptied(item) });
			if (item.type === "message") {
				const part = { type: "output_text", text: "", annotations: [] };
				yield event("response.content_part.added", { ...at, content_index: 0, part });
				for await (const delta of paced(answer.text ?? "")) {
					yield event("response.output_text.delta", { ...at, content_index: 0, delta });
				}
				yield event("response.output_text.done", { ...at, content_index: 0, text: answer.text ?? "" });
				yield event("response.content_part.done", {
					...at,
					content_index: 0,
					part: { ...part, text: answer.text ?? "" },
				});
			} else if (item.type === "reasoning") {
				const part = { type: "summary_text", text: "" };
				yield event("response.reasoning_summary_part.added", { ...at, summary_index: 0, part });
				for await (const delta of paced(answer.thought ?? "")) {
					yield event("response.reasoning_summary_text.delta", { ...at, summary_index: 0, delta });
				}
				yield event("response.reasoning_summary_text.done", { ...at, summary_index: 0, text: answer.thought ?? "" });
				const whole = { ...part, text: answer.thought ?? "" };
				yield event("response.reasoning_summary_part.done", { ...at, summary_index: 0, part: whole });
			} else {
				yield event("response.function_call_arguments.delta", { ...at, delta: item.arguments });
				yield event("response.function_call_arguments.done", { ...at, arguments: item.arguments });
			}
			yield event("response.output_item.done", { output_index, item });
		}
		yield event("response.completed", { response: responseOf(head, "completed", items) });
	},
	error: openAiError,
};

function historyOf(item: JsonObject): HistoryEntry[] {
	if (item.type === "function_call_output") return [{ kind: "result", text: contentText(item.output) }];
	if (item.role === "user") return [{ kind: "user", text: contentText(item.content) }];
	return item.role === "assistant" ? [{ kind: "answer", text: contentText(item.content) }] : [];
}

function responseOf(head: ReplyHead, status: string, output: readonly Item[]): JsonObject {
	const { input, output: written } = head.usage;
	return {
		id: head.id,
		object: "response",
		created_at: 1_700_000_000,
		model: head.model,
		status,
		parallel_tool_calls: false,
		tools: [],
		output,
		usage:
			status === "completed"
				? {
						input_tokens: input,
						input_tokens_details: { cached_tokens: 0 },
						output_tokens: written,
						output_tokens_details: { reasoning_tokens: 0 },
						total_tokens: input + written,
					}
				: null,
	};
}

/** One thing in the output of the model. */
type Item = { readonly id: string; readonly status: "completed" } & (
	| { readonly type: "reasoning"; readonly summary: readonly JsonObject[]; readonly encrypted_content: string }
	| { readonly type: "message"; readonly role: "assistant"; readonly content: readonly JsonObject[] }
	| { readonly type: "function_call"; readonly call_id: string; readonly name: string; readonly arguments: string }
);

function itemsOf(answer: ScriptedAnswer, head: ReplyHead): Item[] {
	const items: Item[] = [];
	const status = "completed";
	if (answer.thought !== undefined) {
		const summary = [{ type: "summary_text", text: answer.thought }];
		items.push({ type: "reasoning", id: `rs_${head.id}`, status, summary, encrypted_content: ENCRYPTED_THOUGHT });
	}
	if (answer.text !== undefined) {
		const content = [{ type: "output_text", text: answer.text, annotations: [] }];
		items.push({ type: "message", id: `msg_${head.id}`, status, role: "assistant", content });
	}
	if (answer.call) {
		const { id, name, arguments: values } = answer.call;
		const call = { call_id: id, name, arguments: JSON.stringify(values) };
		items.push({ type: "function_call", id: `fc_${id}`, status, ...call });
	}
	return items;
}

/** The item as it is announced, before its deltas. */
function emptied(item: Item): JsonObject {
	if (item.type === "message") return { ...item, status: "in_progress", content: [] };
	if (item.type === "reasoning") return { ...item, status: "in_progress", summary: [] };
	return { ...item, status: "in_progress", arguments: "" };
}
