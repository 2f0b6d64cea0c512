import { createParser, type EventSourceMessage } from "eventsource-parser";

/** One server-sent event, its data parsed. */
export interface ReadEvent {
	readonly event: string;
	readonly id: number | undefined;
	// biome-ignore lint/suspicious/noExplicitAny: a test looks into whatever an agent said
	readonly data: any;
}

/** Reads an event stream in the background and keeps what came, in order. */
export class EventReader {
	readonly events: ReadEvent[] = [];
	readonly comments: string[] = [];
	/** Settles when the stream has ended, whichever way. */
	readonly ended: Promise<void>;
	readonly response: Response;
	readonly #controller: AbortController;
	readonly #waiting = new Set<() => void>();
	#isOver = false;

	private constructor(response: Response, controller: AbortController) {
		this.response = response;
		this.#controller = controller;
		this.ended = this.#read(response).finally(() => {
			this.#isOver = true;
			this.#wake();
		});
	}

	static async open(url: string, headers: Record<string, string> = {}): Promise<EventReader> {
		const controller = new AbortController();
		const response = await fetch(url, { headers, signal: controller.signal });
		if (response.status !== 200) throw new Error(`the stream answered ${response.status}: ${await response.text()}`);
		return new EventReader(response, controller);
	}

	/** The data of the messages so far. */
	get messages() {
		return this.events.filter(({ event }) => event === "message").map(({ data }) => data);
	}

	/** Waits until the events so far satisfy a condition. */
	async until(condition: (reader: EventReader) => boolean, limitMs = 10_000): Promise<void> {
		const deadline = Date.now() + limitMs;
		while (!condition(this)) {
			if (this.#isOver) throw new Error(`the stream ended before: ${condition}\n${JSON.stringify(this.events)}`);
			const left = deadline - Date.now();
			if (left <= 0) throw new Error(`not seen in ${limitMs} ms: ${condition}\n${JSON.stringify(this.events)}`);
			await new Promise<void>((resolve) => {
				const timer = setTimeout(resolve, left);
				this.#waiting.add(() => {
					clearTimeout(timer);
					resolve();
				});
			});
		}
	}

	/** Waits for a message with a method. */
	async message(method: string) {
		await this.until((reader) => reader.messages.some((data) => data.method === method));
		return this.messages.find((data) => data.method === method);
	}

	/** Waits for the reply to a request. */
	async reply(id: unknown) {
		const isReply = (data: { id?: unknown; method?: unknown }) => data.method === undefined && data.id === id;
		await this.until((reader) => reader.messages.some(isReply));
		return this.messages.find(isReply);
	}

	async close(): Promise<void> {
		this.#controller.abort();
		await this.ended;
	}

	async #read(response: Response): Promise<void> {
		const parser = createParser({
			onEvent: (event: EventSourceMessage) => {
				this.events.push({
					event: event.event ?? "message",
					id: event.id === undefined ? undefined : Number(event.id),
					data: JSON.parse(event.data),
				});
				this.#wake();
			},
			onComment: (comment) => {
				this.comments.push(comment);
				this.#wake();
			},
		});
		const decoder = new TextDecoder();
		try {
			for await (const chunk of response.body ?? []) parser.feed(decoder.decode(chunk, { stream: true }));
		} catch (error) {
			// Closing the reader aborts it; anything else ends the stream, which is what `until` reports.
			if (!this.#controller.signal.aborted) this.comments.push(`cut: ${error}`);
		}
	}

	#wake(): void {
		for (const wake of this.#waiting) wake();
		this.#waiting.clear();
	}
}
