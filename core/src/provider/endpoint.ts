/** Where a server is reached. Never a bare string: previews of vendors need headers and expire. */
export interface Endpoint {
	/** Base URL without a trailing slash, for example `http://127.0.0.1:32768`. Not to be stored: it changes after a restart. */
	readonly url: string;
	/** Headers the vendor wants on every request, WebSocket upgrades included. Never the runtime's own token. */
	readonly headers?: Readonly<Record<string, string>> | undefined;
	/** How to send a request when a plain URL is not enough, for example through a binding. */
	readonly fetch?: typeof fetch | undefined;
	/** The token of the server in the sandbox, sent as `Authorization: Bearer <token>`. Secret. */
	readonly token?: string | undefined;
	/** Epoch milliseconds after which `url` or `headers` stop working. */
	readonly expiresAt?: number | undefined;
}
