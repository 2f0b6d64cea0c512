import { randomUUID } from "node:crypto";
import type * as Acp from "@agentclientprotocol/sdk";
import { VERSION } from "@sandbox-agent/core/api";
import { type Clock, systemClock } from "@sandbox-agent/core/util";
import { defaultSettings, MockSession } from "./session.ts";
import { MockSessionStore } from "./session-store.ts";
import { inChunks, MockTurn } from "./turn.ts";
import { findWord } from "./word.ts";
import { MockFailure } from "./words/faults.ts";
import { MOCK_WORDS } from "./words/index.ts";

/** What the mock agent depends on. */
export interface MockAgentOptions {
	/** @default sessions in memory, of this agent alone */
	readonly store?: MockSessionStore | undefined;
	/** @default the machine's clock */
	readonly clock?: Clock | undefined;
	/** Ends the agent, for the word `crash`. */
	readonly exit: (code: number, stderr: string) => void;
}

/** The reason with which a cancelled turn is aborted. */
const CANCELLED = new Error("the client cancelled the turn");

/** How many sessions one page of `session/list` holds. */
const PAGE_SIZE = 50;

/** The turns of one session, one after the other. */
interface ActiveSession {
	readonly session: MockSession;
	/** Turns that run or wait. */
	readonly turns: Set<AbortController>;
	last: Promise<unknown>;
}

/**
 * Serves the Agent Client Protocol on a stream: a conforming agent that needs no model.
 *
 * A prompt that is one of its words makes it act; anything else is echoed. Prompts of one session run one after the
 * other, sessions beside each other. Resolves when the stream ends.
 */
export async function serveMockAgent(stream: Acp.Stream, options: MockAgentOptions): Promise<void> {
	const acp = await import("@agentclientprotocol/sdk");
	const agent = new MockAgent(acp, options);
	const connection = agent.build().connect(stream);
	await connection.closed;
	agent.cancelAll();
}

class MockAgent {
	readonly #acp: typeof Acp;
	readonly #options: MockAgentOptions;
	readonly #store: MockSessionStore;
	readonly #clock: Clock;
	/** The sessions this connection has made, loaded or resumed. */
	readonly #active = new Map<string, ActiveSession>();
	#canAskByForm = false;

	constructor(acp: typeof Acp, options: MockAgentOptions) {
		this.#acp = acp;
		this.#options = options;
		this.#store = options.store ?? new MockSessionStore();
		this.#clock = options.clock ?? systemClock;
	}

	build(): Acp.AgentApp {
		return this.#acp
			.agent({ name: "mock" })
			.onRequest("initialize", ({ params }) => this.#initialize(params))
			.onRequest("authenticate", () => ({}))
			.onRequest("session/new", ({ params }) => this.#create(params))
			.onRequest("session/load", ({ params, client }) => this.#load(params, client))
			.onRequest("session/resume", ({ params }) => this.#state(this.#activate(params.sessionId).session))
			.onRequest("session/list", ({ params }) => this.#list(params))
			.onRequest("session/close", ({ params }) => this.#close(params.sessionId))
			.onRequest("session/delete", ({ params }) => this.#delete(params.sessionId))
			.onRequest("session/set_mode", ({ params, client }) => this.#setMode(params, client))
			.onRequest("session/set_config_option", ({ params, client }) => this.#setOption(params, client))
			.onRequest("session/prompt", ({ params, client, signal }) => this.#prompt(params, client, signal))
			.onNotification("session/cancel", ({ params }) => this.#cancel(params.sessionId));
	}

	cancelAll(): void {
		for (const id of this.#active.keys()) this.#cancel(id);
	}

	#initialize(params: Acp.InitializeRequest): Acp.InitializeResponse {
		this.#canAskByForm = Boolean(params.clientCapabilities?.elicitation?.form);
		return {
			protocolVersion: this.#acp.PROTOCOL_VERSION,
			agentInfo: { name: "mock", title: "Mock Agent", version: VERSION },
			agentCapabilities: {
				loadSession: true,
				promptCapabilities: { image: true, audio: true, embeddedContext: true },
				mcpCapabilities: { http: false, sse: false },
				sessionCapabilities: { list: {}, resume: {}, close: {}, delete: {} },
			},
			authMethods: [],
		};
	}

	#create(params: Acp.NewSessionRequest): Acp.NewSessionResponse {
		const session = new MockSession({
			id: `mock-${randomUUID()}`,
			cwd: params.cwd,
			title: null,
			updatedAt: this.#time(),
			settings: defaultSettings(),
			allowedTools: [],
		});
		this.#store.create(session);
		this.#activate(session.id);
		return { sessionId: session.id, ...this.#state(session) };
	}

	async #load(params: Acp.LoadSessionRequest, client: Acp.AgentContext): Promise<Acp.LoadSessionResponse> {
		const { session } = this.#activate(params.sessionId);
		for (const update of [...session.history]) {
			await client.notify("session/update", { sessionId: session.id, update });
		}
		return this.#state(session);
	}

	#list(params: Acp.ListSessionsRequest): Acp.ListSessionsResponse {
		const all = this.#store.list().filter(({ cwd }) => !params.cwd || cwd === params.cwd);
		const start = params.cursor ? all.findIndex(({ id }) => id === params.cursor) + 1 : 0;
		const page = all.slice(start, start + PAGE_SIZE);
		const last = page.at(-1);
		return {
			sessions: page.map(({ id, cwd, title, updatedAt }) => ({ sessionId: id, cwd, title, updatedAt })),
			nextCursor: last && start + PAGE_SIZE < all.length ? last.id : null,
		};
	}

	#close(id: string): Acp.CloseSessionResponse {
		this.#require(id);
		this.#cancel(id);
		this.#active.delete(id);
		return {};
	}

	#delete(id: string): Acp.DeleteSessionResponse {
		this.#cancel(id);
		this.#active.delete(id);
		if (!this.#store.delete(id)) throw this.#acp.RequestError.sessionNotFound(id);
		return {};
	}

	async #setMode(params: Acp.SetSessionModeRequest, client: Acp.AgentContext): Promise<Acp.SetSessionModeResponse> {
		const { session } = this.#require(params.sessionId);
		this.#set(session, "mode", params.modeId);
		await client.notify("session/update", {
			sessionId: session.id,
			update: { sessionUpdate: "config_option_update", configOptions: session.configOptions },
		});
		return {};
	}

	async #setOption(
		params: Acp.SetSessionConfigOptionRequest,
		client: Acp.AgentContext,
	): Promise<Acp.SetSessionConfigOptionResponse> {
		const { session } = this.#require(params.sessionId);
		this.#set(session, params.configId, params.value);
		if (params.configId === "mode") {
			await client.notify("session/update", {
				sessionId: session.id,
				update: { sessionUpdate: "current_mode_update", currentModeId: session.modes.currentModeId },
			});
		}
		return { configOptions: session.configOptions };
	}

	#set(session: MockSession, optionId: string, value: unknown): void {
		if (typeof value !== "string" || !MockSession.offers(optionId, value)) {
			throw this.#acp.RequestError.invalidParams({ configId: optionId, value }, `${optionId} has no value ${value}`);
		}
		session.settings[optionId] = value;
		this.#store.save(session);
	}

	#cancel(id: string): void {
		for (const turn of this.#active.get(id)?.turns ?? []) turn.abort(CANCELLED);
	}

	async #prompt(
		params: Acp.PromptRequest,
		client: Acp.AgentContext,
		requestSignal: AbortSignal,
	): Promise<Acp.PromptResponse> {
		const active = this.#require(params.sessionId);
		const controller = new AbortController();
		const onAbort = () => controller.abort(CANCELLED);
		requestSignal.addEventListener("abort", onAbort, { once: true });
		active.turns.add(controller);
		const turn = active.last.then(() => this.#runTurn(active.session, params.prompt, client, controller.signal));
		// The next turn waits for this one, however it ends.
		active.last = turn.catch(() => undefined);
		try {
			return { stopReason: await turn };
		} catch (error) {
			if (controller.signal.aborted) return { stopReason: "cancelled" };
			if (error instanceof MockFailure) throw this.#acp.RequestError.internalError(undefined, error.message);
			throw error;
		} finally {
			requestSignal.removeEventListener("abort", onAbort);
			active.turns.delete(controller);
		}
	}

	async #runTurn(
		session: MockSession,
		prompt: Acp.ContentBlock[],
		client: Acp.AgentContext,
		signal: AbortSignal,
	): Promise<Acp.StopReason> {
		signal.throwIfAborted();
		const text = promptText(prompt);
		session.updatedAt = this.#time();
		session.title ??= text.slice(0, 60) || null;
		this.#store.save(session);
		for (const content of prompt) this.#store.append(session, { sessionUpdate: "user_message_chunk", content });
		const turn = new MockTurn({
			session,
			client,
			signal,
			clock: this.#clock,
			remember: (update) => this.#store.append(session, update),
			save: () => this.#store.save(session),
			canAskByForm: this.#canAskByForm,
			crash: this.#options.exit,
		});
		const found = findWord(MOCK_WORDS, text);
		if (found) return (await found.word.run(turn, found.match)) ?? "end_turn";
		await echo(turn, prompt);
		return "end_turn";
	}

	#activate(id: string): ActiveSession {
		const known = this.#active.get(id);
		if (known) return known;
		const session = this.#store.get(id);
		if (!session) throw this.#acp.RequestError.sessionNotFound(id);
		const active: ActiveSession = { session, turns: new Set(), last: Promise.resolve() };
		this.#active.set(id, active);
		return active;
	}

	#require(id: string): ActiveSession {
		const active = this.#active.get(id);
		if (!active) throw this.#acp.RequestError.sessionNotFound(id);
		return active;
	}

	#state(session: MockSession): { modes: Acp.SessionModeState; configOptions: Acp.SessionConfigOption[] } {
		return { modes: session.modes, configOptions: session.configOptions };
	}

	#time(): string {
		return new Date(this.#clock.now()).toISOString();
	}
}

/** The text of a prompt, its blocks joined by newlines. */
function promptText(prompt: readonly Acp.ContentBlock[]): string {
	return prompt.flatMap((block) => (block.type === "text" ? [block.text] : [])).join("\n");
}

/** Gives every block of the prompt back: texts in several chunks, anything else as it came. */
async function echo(turn: MockTurn, prompt: readonly Acp.ContentBlock[]): Promise<void> {
	for (const block of prompt) {
		if (block.type !== "text") await turn.show(block);
		else for (const chunk of inChunks(block.text)) await turn.say(chunk);
	}
}
