import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { type ScriptedModel, startScriptedModel } from "./server.ts";

let model: ScriptedModel;

beforeAll(async () => {
	model = await startScriptedModel();
});

beforeEach(() => model.clear());

afterAll(() => model.close());

function post(path: string, body: object, options: { key?: string; signal?: AbortSignal; url?: string } = {}) {
	return fetch(`${options.url ?? model.url}${path}`, {
		method: "POST",
		headers: { "content-type": "application/json", "x-api-key": options.key ?? "any" },
		body: JSON.stringify({ model: "scripted-model", ...body }),
		...(options.signal ? { signal: options.signal } : {}),
	});
}

/** The data of every event of a stream. */
async function eventsOf(response: Response): Promise<unknown[]> {
	const text = await response.text();
	return [...text.matchAll(/^data: (.*)$/gm)].map(([, data = ""]) => (data === "[DONE]" ? data : JSON.parse(data)));
}

const user = (content: unknown) => [{ role: "user", content }];
const shell = { type: "object", properties: { command: { type: "string" } }, required: ["command"] };

describe("scripted model: Anthropic Messages", () => {
	const tools = [{ name: "Bash", input_schema: shell }];

	it("answers with the last line of the prompt", async () => {
		const reply = await (await post("/v1/messages", { messages: user("one\ntwo") })).json();
		expect(reply).toMatchObject({ content: [{ type: "text", text: "ok: two" }], stop_reason: "end_turn" });
	});

	it("streams thoughts and text in pieces", async () => {
		const response = await post("/v1/messages", { stream: true, messages: user("THINK: let me see\nSAY: one two") });
		expect(response.headers.get("content-type")).toBe("text/event-stream");
		expect(await eventsOf(response)).toMatchObject([
			{ type: "message_start", message: { role: "assistant", model: "scripted-model" } },
			{ type: "content_block_start", index: 0, content_block: { type: "thinking", thinking: "" } },
			{ type: "content_block_delta", delta: { type: "thinking_delta", thinking: "let " } },
			{ type: "content_block_delta", delta: { thinking: "me " } },
			{ type: "content_block_delta", delta: { thinking: "see" } },
			{ type: "content_block_delta", delta: { type: "signature_delta" } },
			{ type: "content_block_stop", index: 0 },
			{ type: "content_block_start", index: 1, content_block: { type: "text", text: "" } },
			{ type: "content_block_delta", delta: { type: "text_delta", text: "one " } },
			{ type: "content_block_delta", delta: { text: "two" } },
			{ type: "content_block_stop", index: 1 },
			{ type: "message_delta", delta: { stop_reason: "end_turn" } },
			{ type: "message_stop" },
		]);
	});

	it("calls the shell, then answers with its result", async () => {
		const messages: unknown[] = user("RUN: echo hi");
		const call = await (await post("/v1/messages", { tools, messages })).json();
		expect(call).toMatchObject({
			stop_reason: "tool_use",
			content: [{ type: "tool_use", name: "Bash", input: { command: "echo hi" } }],
		});
		messages.push({ role: "assistant", content: call.content });
		const result = [
			{ type: "tool_result", tool_use_id: call.content[0].id, content: [{ type: "text", text: "a\nhi\n" }] },
		];
		messages.push({
			role: "user",
			content: [...result, { type: "text", text: "<system-reminder>note</system-reminder>" }],
		});
		const reply = await (await post("/v1/messages", { tools, messages })).json();
		expect(reply.content).toEqual([{ type: "text", text: "done: hi" }]);
	});

	it("answers with JSON where the request has a schema", async () => {
		const schema = { type: "object", properties: { title: { type: "string" } }, required: ["title"] };
		const body = { messages: user("ERROR: 500"), output_config: { format: { type: "json_schema", schema } } };
		const reply = await (await post("/v1/messages", body)).json();
		expect(JSON.parse(reply.content[0].text)).toEqual({ title: "scripted" });
	});

	it("fails as it is told, in the form of the protocol", async () => {
		const response = await post("/v1/messages", { messages: user("ERROR: 529 too busy") });
		expect(response.status).toBe(529);
		expect(await response.json()).toEqual({ type: "error", error: { type: "overloaded_error", message: "too busy" } });
	});

	it("counts tokens and lists models", async () => {
		const count = await (await post("/v1/messages/count_tokens", { messages: user("hello") })).json();
		expect(count.input_tokens).toBeGreaterThan(0);
		const list = await (await fetch(`${model.url}/v1/models`)).json();
		expect(list.data.map(({ id }: { id: string }) => id)).toEqual(["scripted-model", "scripted-model-2"]);
	});
});

describe("scripted model: Chat Completions", () => {
	const tools = [
		{ type: "function", function: { name: "bash", parameters: shell } },
		{
			type: "function",
			function: {
				name: "write",
				parameters: {
					type: "object",
					properties: { filePath: { type: "string" }, content: { type: "string" }, mode: { enum: ["new", "append"] } },
					required: ["filePath", "content", "mode"],
				},
			},
		},
	];

	it("streams text, usage and the end", async () => {
		const body = { stream: true, messages: user([{ type: "text", text: "THINK: hm\nSAY: one two\nUSAGE: 7,3" }]) };
		const events = await eventsOf(await post("/v1/chat/completions", body));
		expect(events).toMatchObject([
			{ choices: [{ delta: { role: "assistant" } }] },
			{ choices: [{ delta: { reasoning_content: "hm" } }] },
			{ choices: [{ delta: { content: "one " } }] },
			{ choices: [{ delta: { content: "two" } }] },
			{ choices: [{ delta: {}, finish_reason: "stop" }] },
			{ choices: [], usage: { prompt_tokens: 7, completion_tokens: 3, total_tokens: 10 } },
			"[DONE]",
		]);
	});

	it("calls tools in the order of the markers, filling what else they require", async () => {
		const messages: unknown[] = user("WRITE: a.txt=one\\ntwo\nRUN: cat a.txt\nSAY: ready");
		const first = await (await post("/v1/chat/completions", { tools, messages })).json();
		const [write] = first.choices[0].message.tool_calls;
		expect(write.function.name).toBe("write");
		expect(JSON.parse(write.function.arguments)).toEqual({ filePath: "a.txt", content: "one\ntwo", mode: "new" });
		messages.push(first.choices[0].message, { role: "tool", tool_call_id: write.id, content: "written" });
		const second = await (await post("/v1/chat/completions", { tools, messages })).json();
		const [run] = second.choices[0].message.tool_calls;
		expect(JSON.parse(run.function.arguments)).toEqual({ command: "cat a.txt" });
		expect(run.id).not.toBe(write.id);
		messages.push(second.choices[0].message, { role: "tool", tool_call_id: run.id, content: "one\ntwo" });
		const third = await (await post("/v1/chat/completions", { tools, messages })).json();
		expect(third.choices[0]).toMatchObject({ message: { content: "ready" }, finish_reason: "stop" });
	});

	it("says so when the agent offers no such tool", async () => {
		const reply = await (await post("/v1/chat/completions", { tools, messages: user("READ: a.txt") })).json();
		expect(reply.choices[0].message.content).toContain("no tool for READ");
	});

	it("only ever says text where no tools are offered", async () => {
		const reply = await (await post("/v1/chat/completions", { messages: user("RUN: echo hi\nSAY: a title") })).json();
		expect(reply.choices[0].message.content).toBe("a title");
	});
});

describe("scripted model: OpenAI Responses", () => {
	const parameters = { type: "object", properties: { cmd: { type: "string" } }, required: ["cmd"] };
	const tools = [{ type: "function", name: "exec_command", parameters }, { type: "web_search" }];
	const said = (text: string) => ({ type: "message", role: "user", content: [{ type: "input_text", text }] });

	it("streams thoughts and text in pieces", async () => {
		const body = { stream: true, input: [said("THINK: hm\nSAY: one two\nUSAGE: 7,3")] };
		const events = await eventsOf(await post("/v1/responses", body));
		expect(events).toMatchObject([
			{ type: "response.created", response: { status: "in_progress" } },
			{ type: "response.output_item.added", output_index: 0, item: { type: "reasoning", summary: [] } },
			{ type: "response.reasoning_summary_part.added" },
			{ type: "response.reasoning_summary_text.delta", delta: "hm" },
			{ type: "response.reasoning_summary_text.done", text: "hm" },
			{ type: "response.reasoning_summary_part.done" },
			{ type: "response.output_item.done", output_index: 0 },
			{ type: "response.output_item.added", output_index: 1, item: { type: "message", content: [] } },
			{ type: "response.content_part.added" },
			{ type: "response.output_text.delta", delta: "one " },
			{ type: "response.output_text.delta", delta: "two" },
			{ type: "response.output_text.done", text: "one two" },
			{ type: "response.content_part.done" },
			{ type: "response.output_item.done", item: { content: [{ text: "one two" }] } },
			{ type: "response.completed", response: { usage: { input_tokens: 7, output_tokens: 3, total_tokens: 10 } } },
		]);
	});

	it("calls the shell, then answers with its result, whatever the agent adds about its environment", async () => {
		const note = said("<environment_context>\n<cwd>/work</cwd>\n</environment_context>");
		const input: unknown[] = [said("RUN: echo hi"), note];
		const first = await (await post("/v1/responses", { tools, input })).json();
		const [call] = first.output;
		expect(call).toMatchObject({ type: "function_call", name: "exec_command", arguments: '{"cmd":"echo hi"}' });
		input.push(call, { type: "function_call_output", call_id: call.call_id, output: "a\nhi\n" });
		const second = await (await post("/v1/responses", { tools, input })).json();
		expect(second.output).toMatchObject([{ type: "message", content: [{ text: "done: hi" }] }]);
	});

	it("answers with JSON where the request has a schema", async () => {
		const schema = { type: "object", properties: { title: { type: "string" } }, required: ["title"] };
		const reply = await (await post("/v1/responses", { input: "hello", text: { format: { schema } } })).json();
		expect(JSON.parse(reply.output[0].content[0].text)).toEqual({ title: "scripted" });
	});
});

describe("scripted model: faults and the log", () => {
	it("hangs after the first piece until the agent hangs up, and notes that", async () => {
		const controller = new AbortController();
		const response = await post(
			"/v1/messages",
			{ stream: true, messages: user("HANG:\nSAY: one two") },
			{ signal: controller.signal },
		);
		const reader = response.body?.getReader();
		let text = "";
		while (!text.includes("one ")) text += Buffer.from((await reader?.read())?.value ?? []).toString();
		expect(model.requests[0]).toMatchObject({ status: undefined, aborted: false });
		controller.abort();
		await vi.waitFor(() => expect(model.requests[0]).toMatchObject({ status: 200, aborted: true }));
		expect(text).not.toContain("two");
	});

	it("cuts the connection after the first piece", async () => {
		const response = await post("/v1/messages", { stream: true, messages: user("DROP:\nSAY: one two") });
		await expect(response.text()).rejects.toThrow();
		await vi.waitFor(() => expect(model.requests[0]).toMatchObject({ aborted: true }));
	});

	it("remembers key, model, tools and prompt of every request, here and over HTTP", async () => {
		const tools = [{ name: "Bash", input_schema: shell }];
		await (await post("/v1/messages", { tools, messages: user("hello") }, { key: "sk-1" })).json();
		const expected = { key: "sk-1", model: "scripted-model", tools: ["Bash"], prompt: "hello", status: 200 };
		await vi.waitFor(() => expect(model.requests).toMatchObject([expected]));
		expect(await (await fetch(`${model.url}/__scripted/requests`)).json()).toMatchObject([expected]);
	});

	it("remembers the conversation that a request repeats, in every protocol", async () => {
		const messages = [{ role: "user", content: "one" }, { role: "assistant", content: "ok: one" }, ...user("two")];
		const history = [
			{ kind: "user", text: "one" },
			{ kind: "answer", text: "ok: one" },
			{ kind: "user", text: "two" },
		];
		await (await post("/v1/messages", { messages })).json();
		await (await post("/v1/chat/completions", { messages })).json();
		await (await post("/v1/responses", { input: messages })).json();
		expect(model.requests).toMatchObject([{ history }, { history }, { history }]);
	});

	it("refuses another key than its own", async () => {
		await using guarded = await startScriptedModel({ key: "right" });
		const body = { messages: user("hello") };
		expect((await post("/v1/messages", body, { url: guarded.url, key: "wrong" })).status).toBe(401);
		expect((await post("/v1/messages", body, { url: guarded.url, key: "right" })).status).toBe(200);
	});

	it("runs as a program", async () => {
		const main = fileURLToPath(new URL("main.ts", import.meta.url));
		const child = spawn(process.execPath, [main, "--port", "0"], { stdio: ["ignore", "pipe", "inherit"] });
		const [line] = await once(child.stdout, "data");
		const { url } = JSON.parse(String(line));
		expect((await fetch(`${url}/v1/models`)).status).toBe(200);
		child.kill("SIGTERM");
		expect(await once(child, "exit")).toEqual([0, null]);
	});
});
