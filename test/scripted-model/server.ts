import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { pieces, type ScriptedAnswer } from "./answer.ts";
import { type JsonObject, toObject } from "./json.ts";
import { anthropicMessages } from "./protocols/anthropic-messages.ts";
import { chatCompletions } from "./protocols/chat-completions.ts";
import { openAiResponses } from "./protocols/openai-responses.ts";
import type { ModelProtocol, ReplyHead } from "./protocols/protocol.ts";
import { type LoggedRequest, RequestLog } from "./request-log.ts";
import { answerOf } from "./script.ts";

const PROTOCOLS: readonly ModelProtocol[] = [anthropicMessages, chatCompletions, openAiResponses];

/** Where the requests can be read over HTTP, for programs in other processes. */
const LOG_PATH = "/__scripted/requests";

/** Largest request accepted, in bytes. */
const MAX_BODY_BYTES = 64 * 1024 * 1024;

export interface ScriptedModelOptions {
	/** @default "127.0.0.1" */
	readonly host?: string | undefined;
	/** @default 0 // any free port */
	readonly port?: number | undefined;
	/** When set, requests with any other key get 401. */
	readonly key?: string | undefined;
	/** Ids of the models it lists. */
	readonly models?: readonly string[] | undefined;
}

/** A running scripted model. */
export interface ScriptedModel extends AsyncDisposable {
	readonly url: string;
	readonly port: number;
	/** The requests so far, oldest first. */
	readonly requests: readonly LoggedRequest[];
	clear(): void;
	close(): Promise<void>;
}

/**
 * Starts a server that stands in for a model service: it speaks Anthropic Messages, OpenAI Chat Completions and
 * OpenAI Responses, and what it answers is written in the prompt (see script.ts).
 */
export async function startScriptedModel(options: ScriptedModelOptions = {}): Promise<ScriptedModel> {
	const { host = "127.0.0.1", port = 0, models = ["scripted-model", "scripted-model-2"] } = options;
	const log = new RequestLog();
	let ids = 0;
	const nextId = (prefix: string) => {
		ids += 1;
		return `${prefix}_${String(ids).padStart(6, "0")}`;
	};
	const server = createServer((request, response) => {
		handle({ request, response, log, models, nextId, key: options.key }).catch((error: unknown) => {
			if (response.headersSent) response.destroy();
			else sendJson(response, 500, { error: { message: String(error) } });
		});
	});
	server.listen(port, host);
	await once(server, "listening");
	const boundPort = portOf(server);
	const close = async () => {
		server.closeAllConnections();
		if (!server.listening) return;
		server.close();
		await once(server, "close");
	};
	return {
		url: `http://${host.includes(":") ? `[${host}]` : host}:${boundPort}`,
		port: boundPort,
		requests: log.requests,
		clear: () => log.clear(),
		close,
		[Symbol.asyncDispose]: close,
	};
}

interface Exchange {
	readonly request: IncomingMessage;
	readonly response: ServerResponse;
	readonly log: RequestLog;
	readonly models: readonly string[];
	readonly nextId: (prefix: string) => string;
	readonly key: string | undefined;
}

async function handle(exchange: Exchange): Promise<void> {
	const { request, response, log } = exchange;
	const path = new URL(request.url ?? "/", "http://localhost").pathname;
	const method = request.method ?? "GET";
	if (path === LOG_PATH) {
		if (method === "DELETE") log.clear();
		return sendJson(response, 200, log.requests);
	}
	const protocol = method === "POST" ? PROTOCOLS.find((candidate) => candidate.matches(path)) : undefined;
	const text = await readBody(request);
	const body = text === "" ? {} : toObject(JSON.parse(text));
	const conversation = protocol?.read(body);
	const answer = conversation && answerOf(conversation, exchange.nextId);
	const record = log.add({
		method,
		path,
		protocol: protocol?.name,
		model: conversation?.model,
		key: keyOf(request),
		tools: conversation?.tools.map(({ name }) => name) ?? [],
		prompt: conversation?.prompt ?? "",
		results: conversation?.results ?? [],
		history: conversation?.history ?? [],
		answer,
		status: undefined,
		aborted: false,
	});
	response.once("close", () => {
		if (response.headersSent) record.status = response.statusCode;
		record.aborted = !response.writableFinished;
	});
	if (exchange.key !== undefined && record.key !== exchange.key) {
		return sendJson(response, 401, (protocol ?? chatCompletions).error(401, "the key is not the expected one"));
	}
	if (!protocol || !conversation || !answer) {
		const other = answerOther(exchange.models, method, path, text);
		return sendJson(response, other.status, other.value);
	}
	if (answer.kind === "error") {
		const status = answer.status ?? 500;
		return sendJson(response, status, protocol.error(status, answer.text ?? ""));
	}
	const head = { id: exchange.nextId("reply"), model: conversation.model, usage: usageOf(answer, text) };
	if (conversation.stream) return stream(response, protocol, answer, head);
	return sendJson(response, 200, protocol.whole(answer, head));
}

/** The lists of models, token counts, and the health checks of clients. */
function answerOther(
	models: readonly string[],
	method: string,
	path: string,
	body: string,
): { status: number; value: JsonObject } {
	const entry = (id: string) => ({ id, object: "model", type: "model", display_name: id, owned_by: "scripted" });
	if (path.endsWith("/count_tokens")) return { status: 200, value: { input_tokens: tokensOf(body) } };
	if (method !== "POST") {
		const one = models.find((id) => path.endsWith(`/models/${id}`));
		if (path === "/") return { status: 200, value: { ok: true } };
		if (path.endsWith("/models"))
			return { status: 200, value: { object: "list", data: models.map(entry), has_more: false } };
		if (one !== undefined) return { status: 200, value: entry(one) };
	}
	return { status: 404, value: chatCompletions.error(404, `no such path: ${path}`) };
}

async function stream(
	response: ServerResponse,
	protocol: ModelProtocol,
	answer: ScriptedAnswer,
	head: ReplyHead,
): Promise<void> {
	response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
	const gone = new AbortController();
	response.once("close", () => gone.abort());
	const paced = (text: string) => pacedPieces(text, answer, response, gone.signal);
	for await (const { name, data } of protocol.events(answer, head, paced)) {
		if (gone.signal.aborted) return;
		const payload = typeof data === "string" ? data : JSON.stringify(data);
		response.write(`${name === undefined ? "" : `event: ${name}\n`}data: ${payload}\n\n`);
	}
	response.end();
}

/** A text in pieces, with the pauses and faults of the script between them. Ends when the agent has hung up. */
async function* pacedPieces(
	text: string,
	answer: ScriptedAnswer,
	response: ServerResponse,
	signal: AbortSignal,
): AsyncIterable<string> {
	for (const piece of pieces(text)) {
		if (signal.aborted) return;
		yield piece;
		if (answer.kind === "hang") await once(response, "close");
		// The piece leaves the socket before it is cut.
		if (answer.kind === "drop") response.socket?.end(() => response.destroy());
		if (answer.kind === "drop") await once(response, "close");
		// Hanging up ends the pause.
		if (answer.pauseMs) await delay(answer.pauseMs, undefined, { signal }).catch(() => undefined);
	}
}

function usageOf(answer: ScriptedAnswer, request: string): ReplyHead["usage"] {
	if (answer.usage) return answer.usage;
	return { input: tokensOf(request), output: tokensOf(answer.text ?? JSON.stringify(answer.call ?? "")) };
}

/** Four characters are a token, as a rule of thumb. */
function tokensOf(text: string): number {
	return Math.max(1, Math.ceil(text.length / 4));
}

function keyOf(request: IncomingMessage): string | undefined {
	const key = request.headers["x-api-key"];
	if (typeof key === "string") return key;
	return request.headers.authorization?.replace(/^Bearer\s+/i, "");
}

async function readBody(request: IncomingMessage): Promise<string> {
	const chunks: Buffer[] = [];
	let bytes = 0;
	for await (const chunk of request) {
		bytes += chunk.length;
		if (bytes > MAX_BODY_BYTES) throw new Error(`request of more than ${MAX_BODY_BYTES} bytes`);
		chunks.push(chunk);
	}
	return Buffer.concat(chunks).toString("utf8");
}

function sendJson(response: ServerResponse, status: number, value: JsonObject | readonly object[]): void {
	response.writeHead(status, { "content-type": "application/json" });
	response.end(JSON.stringify(value));
}

function portOf(server: Server): number {
	const address = server.address();
	if (typeof address !== "object" || address === null) throw new Error("the server has no port");
	return address.port;
}
