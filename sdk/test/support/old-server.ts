import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

type Message = { [member: string]: unknown };

/** The agent's side of one connection. */
export interface ScriptedAgent {
	/** Says something. */
	say(message: Message): void;
	/** Ends the process. */
	exit(code: number): void;
}

/** Reacts to one message of a client. */
export type Script = (message: Message, agent: ScriptedAgent) => void;

interface Connection {
	agent: string;
	createdAtMs: number;
	log: { id: number; data: string }[];
	streams: Set<ServerResponse>;
	waiting: Map<string, ServerResponse>;
	dead: boolean;
}

/** Events a server of this generation keeps per connection. */
const RETAINED = 1024;

/**
 * A server of the previous generation over real HTTP: no idempotency keys, no epochs, answers that block until the
 * agent replies, 404 for a stream that is opened before its connection. Its agents are scripts.
 */
export class OldServer implements AsyncDisposable {
	readonly requests: {
		method: string;
		path: string;
		headers: IncomingMessage["headers"];
		body: Message | undefined;
	}[] = [];
	/** Answers in place of the server when it returns true. */
	intercept: ((request: IncomingMessage, response: ServerResponse, body: Message | undefined) => boolean) | undefined;
	readonly #connections = new Map<string, Connection>();
	readonly #script: Script;
	#server: Server | undefined;
	#port = 0;

	constructor(script: Script = conformingAgent) {
		this.#script = script;
	}

	static async start(script?: Script): Promise<OldServer> {
		const server = new OldServer(script);
		await server.listen();
		return server;
	}

	get url(): string {
		return `http://127.0.0.1:${this.#port}`;
	}

	get connectionIds(): string[] {
		return [...this.#connections.keys()];
	}

	async listen(): Promise<void> {
		const server = createServer((request, response) => {
			this.#handle(request, response).catch((error: unknown) => response.destroy(error as Error));
		});
		this.#server = server;
		await new Promise<void>((resolve) => server.listen(this.#port, "127.0.0.1", resolve));
		this.#port = (server.address() as AddressInfo).port;
	}

	/** Dies like a killed process: connections break, nothing is kept. */
	async kill(): Promise<void> {
		const server = this.#server;
		this.#server = undefined;
		this.#connections.clear();
		server?.closeAllConnections();
		await new Promise<void>((resolve) => {
			if (server) server.close(() => resolve());
			else resolve();
		});
	}

	/** Breaks all event streams, leaving everything else alone. */
	cutStreams(): void {
		for (const connection of this.#connections.values()) {
			for (const stream of connection.streams) stream.destroy();
			connection.streams.clear();
		}
	}

	/** Breaks all exchanges that wait for a reply, as an idle limit on the way does. */
	cutAnswers(): void {
		for (const connection of this.#connections.values()) {
			for (const response of connection.waiting.values()) response.destroy();
			connection.waiting.clear();
		}
	}

	/** Says something in the name of the agents of all connections. */
	say(message: Message): void {
		for (const connection of this.#connections.values()) this.#append(connection, message);
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.kill();
	}

	async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
		const url = new URL(request.url ?? "/", "http://localhost");
		let text = "";
		for await (const chunk of request) text += chunk;
		const body = text === "" ? undefined : (JSON.parse(text) as Message);
		this.requests.push({
			method: request.method ?? "",
			path: url.pathname + url.search,
			headers: request.headers,
			body,
		});
		if (this.intercept?.(request, response, body)) return;
		if (url.pathname === "/v1/health") return json(response, 200, { status: "ok" });
		if (url.pathname.startsWith("/v1/agents/")) {
			return json(response, 200, { id: "mock", installed: true, configOptions: [], capabilities: {} });
		}
		const id = /^\/v1\/acp\/(.+)$/.exec(url.pathname)?.[1];
		if (id === undefined) {
			json(response, 404, problem("not_found", 404));
			return;
		}
		if (request.method === "GET") return this.#stream(id, request, response);
		if (request.method === "DELETE") {
			for (const stream of this.#connections.get(id)?.streams ?? []) stream.end();
			this.#connections.delete(id);
			response.writeHead(204).end();
			return;
		}
		return this.#post(id, url.searchParams.get("agent"), body ?? {}, response);
	}

	#post(id: string, agent: string | null, message: Message, response: ServerResponse): void {
		let connection = this.#connections.get(id);
		if (!connection) {
			if (agent === null) {
				json(response, 400, problem("invalid_request", 400));
				return;
			}
			if (agent === "nosuch") {
				json(response, 400, problem("unsupported_agent", 400));
				return;
			}
			connection = { agent, createdAtMs: Date.now(), log: [], streams: new Set(), waiting: new Map(), dead: false };
			this.#connections.set(id, connection);
		}
		if (connection.dead) {
			json(response, 502, problem("stream_error", 502));
			return;
		}
		const target = connection;
		if (message.method !== undefined && message.id !== undefined) target.waiting.set(String(message.id), response);
		else response.writeHead(202).end();
		this.#script(message, {
			say: (line) => this.#append(target, line),
			exit: (code) => {
				target.dead = true;
				this.#append(target, { jsonrpc: "2.0", method: "_adapter/agent_exited", params: { success: false, code } });
			},
		});
	}

	#append(connection: Connection, message: Message): void {
		const entry = { id: (connection.log.at(-1)?.id ?? 0) + 1, data: JSON.stringify(message) };
		connection.log.push(entry);
		if (connection.log.length > RETAINED) connection.log.shift();
		if (message.method === undefined) {
			const waiting = connection.waiting.get(String(message.id));
			connection.waiting.delete(String(message.id));
			// The answer goes out before the stream: a client must not let it overtake.
			if (waiting) json(waiting, 200, message);
		}
		for (const stream of connection.streams) write(stream, entry);
	}

	#stream(id: string, request: IncomingMessage, response: ServerResponse): void {
		const connection = this.#connections.get(id);
		if (!connection) {
			json(response, 404, problem("session_not_found", 404));
			return;
		}
		response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
		response.write(": open\n\n");
		const after = Number(request.headers["last-event-id"] ?? 0);
		for (const entry of connection.log) if (entry.id > after) write(response, entry);
		connection.streams.add(response);
		response.on("close", () => connection.streams.delete(response));
	}
}

/** A small agent that does what its prompt says. */
export const conformingAgent: Script = (message, agent) => {
	const params = (message.params ?? {}) as Message;
	const reply = (result: Message) => agent.say({ jsonrpc: "2.0", id: message.id, result });
	const update = (content: Message) =>
		agent.say({ jsonrpc: "2.0", method: "session/update", params: { sessionId: params.sessionId, update: content } });
	const text = (value: string) =>
		update({ sessionUpdate: "agent_message_chunk", content: { type: "text", text: value } });
	switch (message.method) {
		case "initialize":
			return reply({ protocolVersion: 1, agentCapabilities: {}, authMethods: [{ id: "openai-api-key", name: "key" }] });
		case "authenticate":
			return agent.say({ jsonrpc: "2.0", id: message.id, error: { code: -32000, message: "no key" } });
		case "session/new":
			return reply({ sessionId: `agent-${crypto.randomUUID()}` });
		case "session/prompt": {
			const blocks = params.prompt as { text: string }[];
			const prompt = blocks.at(-1)?.text ?? "";
			if (prompt === "silence") return;
			if (prompt === "exit") return agent.exit(3);
			if (prompt === "fail") {
				return agent.say({ jsonrpc: "2.0", id: message.id, error: { code: -32603, message: "no model" } });
			}
			if (prompt === "permission") {
				text("before");
				// Both sides count their ids on their own, so they may be equal.
				return agent.say({
					jsonrpc: "2.0",
					id: message.id,
					method: "session/request_permission",
					params: {
						sessionId: params.sessionId,
						toolCall: { toolCallId: "t1", title: "rm -rf" },
						options: [
							{ optionId: "yes", name: "Allow", kind: "allow_once" },
							{ optionId: "no", name: "Deny", kind: "reject_once" },
						],
					},
				});
			}
			for (const word of prompt.split(" ")) text(word);
			return reply({ stopReason: "end_turn" });
		}
		case undefined: {
			const outcome = (message.result as { outcome?: { optionId?: string } } | undefined)?.outcome;
			if (outcome)
				agent.say({ jsonrpc: "2.0", id: message.id, result: { stopReason: outcome.optionId ?? "cancelled" } });
			return;
		}
		case "session/cancel":
			return;
		default:
			if (message.id !== undefined) reply({});
	}
};

function write(stream: ServerResponse, entry: { id: number; data: string }): void {
	stream.write(`event: message\nid: ${entry.id}\ndata: ${entry.data}\n\n`);
}

function json(response: ServerResponse, status: number, body: unknown): void {
	const type = status >= 400 ? "application/problem+json" : "application/json";
	response.writeHead(status, { "content-type": type }).end(JSON.stringify(body));
}

function problem(code: string, status: number): Message {
	return { type: `urn:sandbox-agent:error:${code}`, title: code, status, detail: `${code} of the test` };
}
