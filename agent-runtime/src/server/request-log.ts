import type { IncomingMessage, ServerResponse } from "node:http";
import { redactTarget } from "@sandbox-agent/core/util";
import type { Logger } from "./logger.ts";

/** Headers whose values are credentials. */
const SECRET_HEADERS = new Set(["authorization", "cookie", "proxy-authorization", "x-api-key"]);

export interface RequestLogOptions {
	/** Whether each request gets a line. */
	readonly requests: boolean;
	/** Whether the line holds the request's headers, credentials masked. */
	readonly headers: boolean;
}

/** One line per answered request, and one per failure that the answer does not explain. */
export class RequestLog {
	readonly #logger: Logger;
	readonly #options: RequestLogOptions;

	constructor(logger: Logger, options: RequestLogOptions) {
		this.#logger = logger;
		this.#options = options;
	}

	/** Writes the line once the answer has ended or the peer is gone. */
	observe(request: IncomingMessage, response: ServerResponse): void {
		if (!this.#options.requests) return;
		const startedMs = performance.now();
		const { method, url = "/" } = request;
		response.once("close", () => {
			this.#logger.info("request", {
				method,
				uri: redactTarget(url),
				status: response.statusCode,
				latencyMs: Math.round((performance.now() - startedMs) * 100) / 100,
				aborted: response.writableFinished ? undefined : true,
				headers: this.#options.headers ? describeHeaders(request) : undefined,
			});
		});
	}

	/** A failure of the server itself; its text goes here and never into an answer. */
	fault(request: IncomingMessage, thrown: unknown): void {
		this.#logger.error("request failed", {
			method: request.method,
			uri: redactTarget(request.url ?? "/"),
			error: thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown),
		});
	}
}

function describeHeaders(request: IncomingMessage): string {
	const entries = Object.entries(request.headers).map(([name, value]) => [
		name,
		SECRET_HEADERS.has(name) ? "[redacted]" : value,
	]);
	return JSON.stringify(Object.fromEntries(entries));
}
