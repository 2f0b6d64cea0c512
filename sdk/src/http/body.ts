/** The content of a file that is sent: in memory, or as a stream of any kind, Node's included. */
export type FileBody = BodyInit | Uint8Array | AsyncIterable<Uint8Array>;

/** Whether a body is still there when it has been sent. */
export function isRepeatable(body: FileBody): boolean {
	return !(body instanceof ReadableStream) && !isAsyncIterable(body);
}

/** A body on its way, which remembers whether it was its source that failed. */
export class SentBody {
	/** What `fetch` takes. */
	readonly init: BodyInit;
	/** Why the caller's own stream ended too early. */
	failure: { readonly error: unknown } | undefined;

	constructor(body: FileBody) {
		if (body instanceof ReadableStream) this.init = this.#watched(piecesOf(body));
		else if (isAsyncIterable(body)) this.init = this.#watched(body[Symbol.asyncIterator]());
		// The types of platforms disagree about which views of memory are a body; all of them send these.
		else this.init = body as BodyInit;
	}

	#watched(pieces: AsyncIterator<Uint8Array>): ReadableStream<Uint8Array> {
		return new ReadableStream<Uint8Array>(
			{
				pull: async (controller) => {
					try {
						const { done, value } = await pieces.next();
						if (done) controller.close();
						else controller.enqueue(value);
					} catch (error) {
						this.failure = { error };
						throw error;
					}
				},
				cancel: async () => {
					await pieces.return?.();
				},
			},
			{ highWaterMark: 0 },
		);
	}
}

function isAsyncIterable(body: FileBody): body is AsyncIterable<Uint8Array> {
	return typeof body === "object" && Symbol.asyncIterator in body;
}

/** Not every platform's streams can be iterated over. */
function piecesOf(stream: ReadableStream<Uint8Array>): AsyncIterator<Uint8Array> {
	const reader = stream.getReader();
	return {
		async next() {
			const { done, value } = await reader.read();
			return done ? { done, value: undefined } : { done, value };
		},
		async return() {
			await reader.cancel();
			return { done: true, value: undefined };
		},
	};
}
