import {
	type ProcessConfig,
	type ProcessCreateRequest,
	type ProcessInfo,
	type ProcessInputResponse,
	type ProcessListQuery,
	type ProcessListResponse,
	type ProcessLogsResponse,
	type ProcessRunResponse,
	ROUTES,
} from "@sandbox-agent/core/api";
import type { HttpClient } from "../http/client.ts";
import { type RequestOptions, withLimits } from "../http/request.ts";
import type { ServerLink } from "../http/server-link.ts";
import type { ErrorReporter } from "../listeners.ts";
import { runLive } from "../processes/live-run.ts";
import { ProcessLogReader } from "../processes/process-log-reader.ts";
import type {
	ProcessFollowOptions,
	ProcessInputRequest,
	ProcessLogFollowQuery,
	ProcessLogListener,
	ProcessLogStream,
	ProcessLogSubscription,
	ProcessRunOptions,
	ProcessRunRequest,
	ProcessSignalQuery,
} from "../processes/process-types.ts";
import { toBase64 } from "../sessions/base64.ts";

/** The processes of a server. */
export class Processes {
	readonly #http: HttpClient;
	readonly #link: ServerLink;
	readonly #report: ErrorReporter;

	constructor(http: HttpClient, link: ServerLink, report: ErrorReporter) {
		this.#http = http;
		this.#link = link;
		this.#report = report;
	}

	async config(options: RequestOptions = {}): Promise<ProcessConfig> {
		return await this.#http.call(ROUTES.getProcessConfig, options);
	}

	async setConfig(config: ProcessConfig, options: RequestOptions = {}): Promise<ProcessConfig> {
		return await this.#http.call(ROUTES.setProcessConfig, { ...options, body: config });
	}

	async create(request: ProcessCreateRequest, options: RequestOptions = {}): Promise<ProcessInfo> {
		return await this.#http.call(ROUTES.createProcess, { ...options, body: request });
	}

	async run(request: ProcessRunRequest, options: ProcessRunOptions = {}): Promise<ProcessRunResponse> {
		const { stdin, ...rest } = request;
		const body = { ...rest, ...(stdin === undefined ? {} : { stdin: encode(stdin) }) };
		const output = {
			stdout: this.#guarded("onStdout", options.onStdout),
			stderr: this.#guarded("onStderr", options.onStderr),
		};
		return await withLimits("POST /v1/processes/run", options, async (signal) => {
			await this.#link.ready(signal);
			return await runLive(this.#link, body, output, signal);
		});
	}

	async list(query: ProcessListQuery = {}, options: RequestOptions = {}): Promise<ProcessListResponse> {
		return await this.#http.call(ROUTES.listProcesses, { ...options, query });
	}

	async get(id: string, options: RequestOptions = {}): Promise<ProcessInfo> {
		return await this.#http.call(ROUTES.getProcess, { ...options, params: { id } });
	}

	async stop(id: string, query: ProcessSignalQuery = {}, options: RequestOptions = {}): Promise<ProcessInfo> {
		return await this.#http.call(ROUTES.stopProcess, { ...options, params: { id }, query });
	}

	async kill(id: string, query: ProcessSignalQuery = {}, options: RequestOptions = {}): Promise<ProcessInfo> {
		return await this.#http.call(ROUTES.killProcess, { ...options, params: { id }, query });
	}

	async delete(id: string, options: RequestOptions = {}): Promise<void> {
		await this.#http.call(ROUTES.deleteProcess, { ...options, params: { id } });
	}

	async input(id: string, request: ProcessInputRequest, options: RequestOptions = {}): Promise<ProcessInputResponse> {
		const { data, ...rest } = request;
		const body =
			data instanceof Uint8Array ? { ...rest, ...encode(data) } : { ...rest, ...(data === undefined ? {} : { data }) };
		return await this.#http.call(ROUTES.sendProcessInput, { ...options, params: { id }, body });
	}

	async logs(
		id: string,
		query: ProcessLogFollowQuery = {},
		options: RequestOptions = {},
	): Promise<ProcessLogsResponse> {
		const { stream, tail, since } = query;
		return await this.#http.call(ROUTES.getProcessLogs, {
			...options,
			params: { id },
			query: {
				...(stream == null ? {} : { stream }),
				...(tail == null ? {} : { tail }),
				...(since == null ? {} : { since }),
			},
		});
	}

	async follow(
		id: string,
		listener: ProcessLogListener,
		query: ProcessLogFollowQuery = {},
		options: ProcessFollowOptions = {},
	): Promise<ProcessLogSubscription> {
		const reader = new ProcessLogReader(this.#link, id, query, this.#withGuardedGaps(options));
		await reader.open();
		const tell = this.#guarded("process log listener", listener);
		let isClosed = false;
		const closed = (async () => {
			try {
				for await (const entry of reader) tell?.(entry);
			} catch (error) {
				if (!isClosed) throw error;
			}
		})();
		// Whoever does not look at it has not asked to be told.
		closed.catch(() => undefined);
		return {
			closed,
			close() {
				isClosed = true;
				reader.close(new Error("the subscription was closed"));
			},
		};
	}

	stream(id: string, query: ProcessLogFollowQuery = {}, options: ProcessFollowOptions = {}): ProcessLogStream {
		return new ProcessLogReader(this.#link, id, query, this.#withGuardedGaps(options));
	}

	#withGuardedGaps(options: ProcessFollowOptions): ProcessFollowOptions {
		return { ...options, onGap: this.#guarded("onGap", options.onGap) };
	}

	/** A listener that throws is reported and disturbs nothing. */
	#guarded<Value>(name: string, listener: ((value: Value) => void) | undefined): ((value: Value) => void) | undefined {
		if (!listener) return undefined;
		return (value) => {
			try {
				listener(value);
			} catch (error) {
				this.#report(error, name);
			}
		};
	}
}

/** Text as it is, bytes as base64. */
function encode(data: string | Uint8Array): { data: string; encoding: string } {
	return typeof data === "string" ? { data, encoding: "utf8" } : { data: toBase64(data), encoding: "base64" };
}
