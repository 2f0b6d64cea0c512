import { SandboxAgentError } from "@sandbox-agent/core/errors";

/** How often in a row a body is asked for again without getting a byte of it. */
const TRIES = 5;

/** What a {@link ResumingBody} is made of. */
export interface ResumingBodyOptions {
	/** Names the content in messages. */
	readonly what: string;
	/** The answer, its body unread. */
	readonly first: Response;
	/** Place of its first byte. */
	readonly start: number;
	readonly signal: AbortSignal | undefined;
	/** Asks for the rest of the same content. */
	readonly again: (start: number, etag: string) => Promise<Response>;
	/** Waits until the server can be reached again. */
	readonly recover: (reason: string) => Promise<void>;
	/** Called when nothing more is going to be read. */
	readonly onEnd: () => void;
}

/** A body that goes on where it was when its connection breaks, as long as the content is the same. */
export class ResumingBody {
	readonly stream: ReadableStream<Uint8Array>;
	readonly #options: ResumingBodyOptions;
	readonly #etag: string | undefined;
	/** The byte behind the last; `undefined` where the server does not tell. */
	readonly #end: number | undefined;
	#reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
	#at: number;
	#failures = 0;

	constructor(options: ResumingBodyOptions) {
		const { first, start } = options;
		this.#options = options;
		this.#etag = first.headers.get("etag") ?? undefined;
		const length = first.headers.get("content-length");
		this.#end = length === null ? undefined : start + Number(length);
		this.#at = start;
		this.#reader = first.body?.getReader();
		const finish = options.onEnd;
		this.stream = new ReadableStream<Uint8Array>(
			{
				pull: async (controller) => {
					const piece = await this.#next();
					if (piece) controller.enqueue(piece);
					else {
						finish();
						controller.close();
					}
				},
				cancel: finish,
			},
			{ highWaterMark: 0 },
		);
	}

	async #next(): Promise<Uint8Array | undefined> {
		const { signal } = this.#options;
		for (;;) {
			try {
				const read = await this.#reader?.read();
				if (read?.value) {
					this.#at += read.value.byteLength;
					this.#failures = 0;
					return read.value;
				}
				if (this.#end === undefined || this.#at >= this.#end) return undefined;
				await this.#resume(new Error(`it ended after ${this.#at} of ${this.#end} bytes`));
			} catch (error) {
				signal?.throwIfAborted();
				if (SandboxAgentError.isInstance(error)) throw error;
				await this.#resume(error);
			}
		}
	}

	async #resume(cause: unknown): Promise<void> {
		const { what, again, recover } = this.#options;
		const reason = `reading ${what} broke off: ${cause instanceof Error ? cause.message : String(cause)}`;
		this.#failures += 1;
		if (this.#etag === undefined || this.#failures > TRIES) {
			throw new SandboxAgentError("connection_lost", reason, { cause });
		}
		await recover(reason);
		const response = await again(this.#at, this.#etag);
		if (this.#at > 0 && response.status !== 206) throw new SandboxAgentError("connection_lost", reason, { cause });
		this.#reader = response.body?.getReader();
	}
}
