import type { IncomingMessage, ServerResponse } from "node:http";
import { HEADERS } from "@sandbox-agent/core/api";

/** What browsers of other origins may do. */
export interface CorsOptions {
	/** Origins whose pages may read answers, or `*` for all. @default none */
	readonly origins: readonly string[];
	/** Methods named in preflight answers, in the given spelling. @default all */
	readonly methods: readonly string[];
	/** Request headers named in preflight answers, beside those this API has. @default all */
	readonly headers: readonly string[];
	/** Whether browsers send cookies and saved credentials. Never together with the origin `*`. */
	readonly credentials: boolean;
}

/** What every answer varies by. */
const VARY = "origin, access-control-request-method, access-control-request-headers";

/** Request headers of this API that a page must be allowed to set; `*` covers all but `authorization`. */
const REQUEST_HEADERS = [
	"authorization",
	"content-type",
	"last-event-id",
	"idempotency-key",
	"prefer",
	HEADERS.log,
	"range",
	"if-range",
	"if-match",
	"if-none-match",
];

/** Response headers of this API that a page may read beside those every page may. */
const EXPOSED_HEADERS = [
	HEADERS.version,
	HEADERS.api,
	HEADERS.log,
	HEADERS.logDurable,
	HEADERS.logStart,
	"preference-applied",
	"etag",
	"accept-ranges",
	"content-range",
	"content-length",
	"www-authenticate",
].join(",");

/** Writes the CORS headers of answers. The decision who may call at all is the guard's. */
export class Cors {
	readonly #options: CorsOptions;
	readonly #origins: ReadonlySet<string>;
	readonly #any: boolean;

	constructor(options: CorsOptions) {
		this.#options = options;
		this.#origins = new Set(options.origins);
		this.#any = this.#origins.has("*");
	}

	/** Headers of every answer, errors included. */
	apply(request: IncomingMessage, response: ServerResponse): void {
		response.setHeader("vary", VARY);
		if (this.#options.credentials) response.setHeader("access-control-allow-credentials", "true");
		const { origin } = request.headers;
		const allowed = this.#any ? "*" : origin !== undefined && this.#origins.has(origin) ? origin : undefined;
		if (allowed === undefined) return;
		response.setHeader("access-control-allow-origin", allowed);
		response.setHeader("access-control-expose-headers", EXPOSED_HEADERS);
	}

	/** Headers of the answer to OPTIONS. */
	applyPreflight(request: IncomingMessage, response: ServerResponse): void {
		const { methods, headers, credentials } = this.#options;
		// With credentials `*` is taken literally by browsers: what was asked for is granted by name.
		const wanted = (name: string) => (credentials ? request.headers[name]?.toString() : undefined);
		const allowMethods = methods.length > 0 ? methods.join(",") : (wanted("access-control-request-method") ?? "*");
		response.setHeader("access-control-allow-methods", allowMethods);
		response.setHeader("access-control-allow-headers", this.#allowedHeaders(headers, wanted));
	}

	#allowedHeaders(headers: readonly string[], wanted: (name: string) => string | undefined): string {
		if (headers.length === 0) return wanted("access-control-request-headers") ?? "*,authorization";
		const given = new Set(headers.map((name) => name.toLowerCase()));
		return [...headers, ...REQUEST_HEADERS.filter((name) => !given.has(name))].join(",");
	}
}
