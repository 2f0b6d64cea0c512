import { SandboxAgentError } from "@sandbox-agent/core/errors";
import type { LogPosition } from "@sandbox-agent/core/session";
import { abortable } from "@sandbox-agent/core/util";
import { v4 } from "uuid";
import { clientDisposed, type ServerLink } from "../http/server-link.ts";
import type { ErrorReporter } from "../listeners.ts";
import type { ConnectionHandler } from "./connection-handler.ts";
import { isObject } from "./envelope.ts";
import { LiveAcpConnection } from "./live-acp-connection.ts";

/** Version of the Agent Client Protocol. */
const PROTOCOL_VERSION = 1;

/** Ways to log in that need nothing but a variable of the agent's environment. */
const API_KEY_METHODS = new Set(["codex-api-key", "openai-api-key", "anthropic-api-key"]);

/** What is known about a connection after its handshake. */
export interface OpenConnection {
	readonly connection: LiveAcpConnection;
	/** `agentCapabilities` of the agent's answer; `_meta` in it also holds that of the answer itself. */
	readonly capabilities: { readonly [member: string]: unknown };
	/** `agentInfo` of the agent's answer: name and version of what speaks the protocol. */
	readonly agentInfo: AgentProgram | undefined;
}

/** What an agent says it is. */
export interface AgentProgram {
	readonly name: string;
	readonly version: string;
}

/** The connections of one client: one for each agent it uses, made at first use. */
export class AgentConnections {
	readonly #link: ServerLink;
	readonly #handler: ConnectionHandler;
	readonly #report: ErrorReporter;
	readonly #open = new Map<string, Promise<OpenConnection>>();
	/** Those whose handshake is over, those of other clients included. */
	readonly #known = new Set<OpenConnection>();
	/** Every connection that has not been closed on the server. */
	readonly #all = new Set<LiveAcpConnection>();
	/** Names this client in the ids of its requests. */
	readonly clientId = v4().slice(0, 8);
	#requests = 0;
	#ended = false;

	constructor(options: { link: ServerLink; handler: ConnectionHandler; report: ErrorReporter }) {
		this.#link = options.link;
		this.#handler = options.handler;
		this.#report = options.report;
	}

	/** Makes a JSON-RPC id no other client makes. */
	readonly nextRequestId = (): string => {
		this.#requests++;
		return `${this.clientId}:${this.#requests}`;
	};

	/**
	 * A connection that the server has already, of an earlier client or of another one, where it is known how far its log
	 * was read. Nothing is read before {@link LiveAcpConnection.listen}; the server is not asked whether it has it.
	 *
	 * It serves the sessions that are on it already. New ones get a connection of this client: the one that made this one
	 * may be alive, and refuses what it is asked by sessions it does not know.
	 */
	attach(existing: {
		agent: string;
		connectionId: string;
		from: LogPosition;
		capabilities: OpenConnection["capabilities"];
		agentInfo: OpenConnection["agentInfo"];
	}): OpenConnection {
		this.#link.signal.throwIfAborted();
		for (const known of this.#known) {
			if (known.connection.connectionId === existing.connectionId && !known.connection.isEnded) return known;
		}
		const { agent, connectionId, from, capabilities, agentInfo } = existing;
		const connection = this.#make(agent, connectionId, from);
		const open = { connection, capabilities, agentInfo };
		this.#known.add(open);
		return open;
	}

	/** The live connection of an agent; concurrent first uses share one. A failed one is forgotten. */
	async get(agent: string, signal?: AbortSignal): Promise<OpenConnection> {
		this.#link.signal.throwIfAborted();
		const known = this.#open.get(agent);
		if (known) {
			const open = await abortable(known, signal);
			if (!open.connection.isEnded) return open;
			if (this.#open.get(agent) === known) this.#open.delete(agent);
			return await this.get(agent, signal);
		}
		const opening = this.#create(agent);
		this.#open.set(agent, opening);
		opening.catch(() => {
			if (this.#open.get(agent) === opening) this.#open.delete(agent);
		});
		return await abortable(opening, signal);
	}

	/** The connection of an agent if there is a live one. */
	async peek(agent: string): Promise<OpenConnection | undefined> {
		const open = await this.#open.get(agent)?.catch(() => undefined);
		return open && !open.connection.isEnded ? open : undefined;
	}

	/** Lets go of an ended connection and has the server do the same. */
	discard(connection: LiveAcpConnection): void {
		if (this.#ended) return;
		for (const open of this.#known) if (open.connection === connection) this.#known.delete(open);
		// In the background: nobody waits for the end of an agent that is not used any more.
		this.#close(connection).catch((error: unknown) => {
			if (!this.#ended && !isUnreachable(error)) this.#report(error, `closing connection ${connection.connectionId}`);
		});
	}

	/**
	 * Ends all connections on this side; what waits on them fails with `client_disposed`.
	 *
	 * @param options.untold the agents go on, and so does what they were asked
	 */
	endAll(options: { untold?: boolean } = {}): void {
		this.#ended = true;
		for (const connection of this.#all) connection.end(clientDisposed(), { immediately: true, ...options });
		this.#open.clear();
		this.#known.clear();
	}

	/** Has the server end all agents of this client. Bounded and never rejects. */
	async closeAll(): Promise<void> {
		const all = [...this.#all];
		this.#open.clear();
		await Promise.allSettled(all.map((connection) => this.#close(connection)));
	}

	async #close(connection: LiveAcpConnection): Promise<void> {
		try {
			await connection.close();
			this.#all.delete(connection);
		} catch (error) {
			// One that could not be reached is closed when the server answers again.
			if (!isUnreachable(error)) this.#all.delete(connection);
			throw error;
		}
	}

	async #create(agent: string): Promise<OpenConnection> {
		await this.#link.ready();
		try {
			return await this.#handshake(agent);
		} catch (error) {
			// The first exchange with a server that went away in between: nothing has been asked of the agent yet.
			if (!SandboxAgentError.isInstance(error, "connection_lost")) throw error;
			return await this.#handshake(agent);
		}
	}

	async #handshake(agent: string): Promise<OpenConnection> {
		const connection = this.#make(agent, `sdk-${agent}-${v4()}`);
		try {
			const answer = await connection.request("initialize", {
				protocolVersion: PROTOCOL_VERSION,
				clientInfo: { name: "sandbox-agent-sdk", version: "v1" },
			});
			await this.#authenticate(connection, answer);
			for (const other of this.#all) if (other.isEnded) this.discard(other);
			const open = { connection, capabilities: capabilitiesOf(answer), agentInfo: programOf(answer) };
			this.#known.add(open);
			return open;
		} catch (error) {
			connection.end(error instanceof Error ? error : new Error(String(error)));
			this.discard(connection);
			throw error;
		}
	}

	#make(agent: string, connectionId: string, from?: LogPosition): LiveAcpConnection {
		const connection = new LiveAcpConnection({
			agent,
			connectionId,
			link: this.#link,
			handler: this.#handler,
			nextRequestId: this.nextRequestId,
			report: this.#report,
			from,
		});
		this.#all.add(connection);
		return connection;
	}

	async #authenticate(connection: LiveAcpConnection, answer: unknown): Promise<void> {
		const methods = isObject(answer) && Array.isArray(answer.authMethods) ? answer.authMethods : [];
		const method: unknown = methods.find((entry) => isObject(entry) && API_KEY_METHODS.has(String(entry.id)));
		if (!isObject(method)) return;
		try {
			await connection.request("authenticate", { methodId: method.id });
		} catch (error) {
			if (connection.isEnded) throw error;
			// The agent may be logged in by other means; if it is not, the first prompt says so.
		}
	}
}

/** What the agent told it can do. Its extensions may stand beside its capabilities as well as in them. */
function capabilitiesOf(answer: unknown): OpenConnection["capabilities"] {
	if (!isObject(answer)) return {};
	const told = isObject(answer.agentCapabilities) ? answer.agentCapabilities : {};
	if (!isObject(answer._meta)) return told;
	return { ...told, _meta: { ...answer._meta, ...(isObject(told._meta) ? told._meta : {}) } };
}

function programOf(answer: unknown): AgentProgram | undefined {
	const info = isObject(answer) ? answer.agentInfo : undefined;
	if (!isObject(info) || typeof info.name !== "string") return undefined;
	return { name: info.name, version: typeof info.version === "string" ? info.version : "" };
}

function isUnreachable(error: unknown): boolean {
	return (
		SandboxAgentError.isInstance(error, "connection_lost") || SandboxAgentError.isInstance(error, "sandbox_destroyed")
	);
}
