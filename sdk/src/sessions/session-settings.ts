import type { SetSessionConfigOptionResponse, SetSessionModeResponse } from "@agentclientprotocol/sdk";
import { ROUTES } from "@sandbox-agent/core/api";
import { SandboxAgentError } from "@sandbox-agent/core/errors";
import type { SessionConfigOption, SessionModeState } from "@sandbox-agent/core/session";
import type { Params } from "../acp/envelope.ts";
import {
	AcpRpcError,
	METHOD_NOT_FOUND,
	UnsupportedSessionCategoryError,
	UnsupportedSessionConfigOptionError,
	UnsupportedSessionValueError,
} from "../errors/index.ts";
import type { HttpClient } from "../http/client.ts";
import type { RequestOptions } from "../http/request.ts";
import { assertAllowed, CATEGORY, categoriesOf, choicesFromReply, findByCategory, modesOf } from "./session-options.ts";
import type { SessionStore, StoredSession } from "./session-store.ts";

/** Sends a request of a session and resolves with its result. */
export type SendRequest = (id: string, method: string, params: Params, options: RequestOptions) => Promise<unknown>;

/** Models, modes, thought levels and the other options of sessions. */
export class SessionSettings {
	readonly #store: SessionStore;
	readonly #http: HttpClient;
	readonly #send: SendRequest;

	constructor(options: { store: SessionStore; http: HttpClient; send: SendRequest }) {
		this.#store = options.store;
		this.#http = options.http;
		this.#send = options.send;
	}

	/** The options of a session with their values. Where its agent told none, those the server knows of it. */
	async configOptions(id: string, options: RequestOptions = {}): Promise<SessionConfigOption[]> {
		const { record } = await this.#hydrated(id, options);
		return structuredClone(record.configOptions ?? []);
	}

	async modes(id: string, options: RequestOptions = {}): Promise<SessionModeState | null> {
		const stored = await this.#store.require(id);
		const known = modesOf(stored.record);
		if (known) return structuredClone(known);
		return structuredClone(modesOf((await this.#hydrated(id, options)).record));
	}

	async setModel(id: string, model: string, options: RequestOptions = {}): Promise<SetSessionConfigOptionResponse> {
		const value = required(model, "setSessionModel requires a non-empty value");
		return await this.#setByCategory(id, CATEGORY.model, value, options);
	}

	async setThoughtLevel(
		id: string,
		level: string,
		options: RequestOptions = {},
	): Promise<SetSessionConfigOptionResponse> {
		const value = required(level, "setSessionThoughtLevel requires a non-empty value");
		return await this.#setByCategory(id, CATEGORY.thoughtLevel, value, options);
	}

	/** Sets a mode; for agents without that method, the option that stands for it. */
	async setMode(id: string, mode: string, options: RequestOptions = {}): Promise<SetSessionModeResponse> {
		const modeId = required(mode, "setSessionMode requires a non-empty modeId");
		const known = await this.modes(id, options);
		const allowed = known?.availableModes.map((candidate) => candidate.id) ?? [];
		if (allowed.length > 0 && !allowed.includes(modeId)) {
			throw new UnsupportedSessionValueError(id, CATEGORY.mode, CATEGORY.mode, modeId, allowed);
		}
		try {
			// What agents answer is theirs; the type says what the protocol promises.
			return (await this.#send(id, "session/set_mode", { modeId }, options)) as SetSessionModeResponse;
		} catch (error) {
			if (!(error instanceof AcpRpcError) || error.code !== METHOD_NOT_FOUND) throw error;
			return await this.#setByCategory(id, CATEGORY.mode, modeId, options);
		}
	}

	async setConfigOption(
		id: string,
		configId: string,
		value: string | boolean,
		options: RequestOptions = {},
	): Promise<SetSessionConfigOptionResponse> {
		const optionId = required(configId, "setSessionConfigOption requires a non-empty configId");
		const wanted =
			typeof value === "string" ? required(value, "setSessionConfigOption requires a non-empty value") : value;
		const known = await this.configOptions(id, options);
		const option = known.find((candidate) => candidate.id === optionId);
		if (!option) {
			const ids = known.map((candidate) => candidate.id);
			throw new UnsupportedSessionConfigOptionError(id, optionId, ids);
		}
		if (typeof wanted === "string") assertAllowed(id, option, wanted);
		return await this.#set(id, option, wanted, options);
	}

	async #setByCategory(
		id: string,
		category: string,
		value: string,
		options: RequestOptions,
	): Promise<SetSessionConfigOptionResponse> {
		const known = await this.configOptions(id, options);
		const option = findByCategory(known, category);
		if (!option) throw new UnsupportedSessionCategoryError(id, category, categoriesOf(known));
		assertAllowed(id, option, value);
		return await this.#set(id, option, value, options);
	}

	async #set(
		id: string,
		option: SessionConfigOption,
		value: string | boolean,
		options: RequestOptions,
	): Promise<SetSessionConfigOptionResponse> {
		// The protocol wants the type spelled out for values that are no strings.
		const params = { configId: option.id, ...(typeof value === "boolean" ? { type: "boolean" } : {}), value };
		const reply = await this.#send(id, "session/set_config_option", params, options);
		return reply as SetSessionConfigOptionResponse;
	}

	async #hydrated(id: string, options: RequestOptions): Promise<StoredSession> {
		const stored = await this.#store.require(id);
		if (stored.record.configOptions) return stored;
		const { agent } = stored.record;
		const info = await this.#http.call(ROUTES.getAgent, { ...options, params: { agent }, query: { config: true } });
		const { configOptions = [] } = choicesFromReply(info);
		const record = await this.#store.update(stored.state, { configOptions });
		return { state: stored.state, record };
	}
}

function required(value: string, message: string): string {
	const trimmed = typeof value === "string" ? value.trim() : "";
	if (trimmed !== "") return trimmed;
	throw new SandboxAgentError("invalid_request", message, { message });
}
