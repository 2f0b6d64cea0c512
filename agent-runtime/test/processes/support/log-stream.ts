import { type IncomingMessage, request } from "node:http";
import { createParser, type EventSourceMessage } from "eventsource-parser";
import { AUTHORIZED } from "../../server/support/test-app.ts";

export interface LogStreamOptions {
	readonly method?: string;
	readonly headers?: Readonly<Record<string, string>>;
	readonly body?: string;
}

/** A stream of events on a connection of its own, which can be left unread. */
export class LogStream {
	readonly events: EventSourceMessage[] = [];
	/** Resolves when the server has ended the stream. */
	readonly ended: Promise<void>;
	readonly #response: IncomingMessage;

	private constructor(response: IncomingMessage) {
		this.#response = response;
		const parser = createParser({ onEvent: (event) => this.events.push(event) });
		response.setEncoding("utf8");
		response.on("data", (text: string) => parser.feed(text));
		this.ended = new Promise((resolve) => response.once("close", resolve));
	}

	static open(port: number, path: string, options: LogStreamOptions = {}): Promise<LogStream> {
		const { method = "GET", headers = {}, body } = options;
		return new Promise((resolve, reject) => {
			const outgoing = request(
				{ host: "127.0.0.1", port, path, method, headers: { ...AUTHORIZED, ...headers }, agent: false },
				(response) => resolve(new LogStream(response)),
			);
			outgoing.on("error", reject);
			outgoing.end(body);
		});
	}

	get status(): number | undefined {
		return this.#response.statusCode;
	}

	get headers() {
		return this.#response.headers;
	}

	/** Stops reading, so that the server's writes pile up. */
	stall(): void {
		this.#response.pause();
	}

	resume(): void {
		this.#response.resume();
	}

	close(): void {
		this.#response.destroy();
	}

	/** Data of the events with a name. */
	dataOf(name: string): Record<string, unknown>[] {
		return this.events.filter(({ event }) => event === name).map(({ data }) => JSON.parse(data));
	}

	/** The output that came. */
	get output(): Buffer {
		return Buffer.concat(this.dataOf("log").map(({ data }) => Buffer.from(String(data), "base64")));
	}
}
