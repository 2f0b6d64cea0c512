import type { ScriptedAnswer } from "../answer.ts";
import { type HistoryEntry, newestTurn } from "../conversation.ts";
import { contentText, isObject, type JsonObject, toObject, toObjects, toText } from "../json.ts";
import { openAiError } from "./openai-error.ts";
import type { ModelProtocol, ReplyHead } from "./protocol.ts";

/** https://platform.openai.com/docs/api-reference/chat */
export const chatCompletions: ModelProtocol = {
	name: "chat-completions",
	matches: (path) => path.endsWith("/chat/completions"),
	read(body) {
		const schema = toObject(toObject(body.response_format).json_schema).schema;
		return {
			model: toText(body.model),
			stream: body.stream === true,
			tools: toObjects(body.tools)
				.map((tool) => toObject(tool.function))
				.map((tool) => ({ name: toText(tool.name), schema: toObject(tool.parameters) })),
			schema: isObject(schema) ? schema : undefined,
			...newestTurn(toObjects(body.messages).flatMap(historyOf)),
		};
	},
	whole(answer, head) {
		const message: JsonObject = { role: "assistant", content: answer.text ?? null };
		if (answer.thought !== undefined) message.reasoning_content = answer.thought;
		if (answer.call) message.tool_calls = [toolCallOf(answer.call)];
		return {
			...headOf(head),
			object: "chat.completion",
			choices: [{ index: 0, message, finish_reason: finishReason(answer) }],
			usage: usageOf(head),
		};
	},
	async *events(answer, head, paced) {
		const chunk = (delta: JsonObject, finish: string | null = null) => ({
			data: {
				...headOf(head),
				object: "chat.completion.chunk",
				choices: [{ index: 0, delta, finish_reason: finish }],
			},
		});
		yield chunk({ role: "assistant", content: "" });
		if (answer.thought !== undefined) {
			for await (const text of paced(answer.thought)) yield chunk({ reasoning_content: text });
		}
		if (answer.text !== undefined) {
			for await (const content of paced(answer.text)) yield chunk({ content });
		}
		if (answer.call) yield chunk({ tool_calls: [{ index: 0, ...toolCallOf(answer.call) }] });
		yield chunk({}, finishReason(answer));
		yield { data: { ...headOf(head), object: "chat.completion.chunk", choices: [], usage: usageOf(head) } };
		yield { data: "[DONE]" };
	},
	error: openAiError,
};

function historyOf(message: JsonObject): HistoryEntry[] {
	const text = contentText(message.content);
	if (message.role === "tool") return [{ kind: "result", text }];
	if (message.role === "assistant") return [{ kind: "answer", text }];
	return message.role === "user" ? [{ kind: "user", text }] : [];
}

function headOf(head: ReplyHead): JsonObject {
	return { id: head.id, created: 1_700_000_000, model: head.model };
}

function usageOf({ usage }: ReplyHead): JsonObject {
	return {
		prompt_tokens: usage.input,
		completion_tokens: usage.output,
		total_tokens: usage.input + usage.output,
	};
}

function finishReason(answer: ScriptedAnswer): string {
	return answer.call ? "tool_calls" : "stop";
}

function toolCallOf(call: NonNullable<ScriptedAnswer["call"]>): JsonObject {
	const { id, name, arguments: values } = call;
	return { id, type: "function", function: { name, arguments: JSON.stringify(values) } };
}
