const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;

/** Receives a part of a body. The buffer is reused after the call: take what is needed before returning. */
export type BodySink = (buffer: Uint8Array, start: number, end: number) => void;

/**
 * Decodes the chunked transfer coding of HTTP/1.1 in a stream of buffers, without copying the body.
 *
 * Cuts may fall anywhere, also within a size line. Trailer fields are not supported: none of the measured servers sends any.
 */
export class ChunkedDecoder {
	#state: "size" | "data" | "data-end" | "last" = "size";
	#remaining = 0;
	#sizeText = "";
	/** True once the last chunk has been read completely. */
	done = false;

	/** Feeds `buffer[start, end)`; hands each piece of body to `sink`. Returns the offset after what belongs to this body. */
	push(buffer: Uint8Array, start: number, end: number, sink: BodySink): number {
		let at = start;
		while (at < end && !this.done) {
			if (this.#state === "data") {
				const stop = Math.min(end, at + this.#remaining);
				sink(buffer, at, stop);
				this.#remaining -= stop - at;
				at = stop;
				if (this.#remaining === 0) this.#state = "data-end";
				continue;
			}
			const byte = buffer[at] ?? 0;
			at += 1;
			if (this.#state === "size") {
				if (byte === LINE_FEED) this.#beginChunk();
				else if (byte !== CARRIAGE_RETURN) this.#sizeText += String.fromCharCode(byte);
			} else if (byte === LINE_FEED) {
				if (this.#state === "last") this.done = true;
				else this.#state = "size";
			}
		}
		return at;
	}

	#beginChunk(): void {
		this.#remaining = Number.parseInt(this.#sizeText, 16);
		if (!Number.isFinite(this.#remaining)) throw new Error(`bad chunk size line: ${JSON.stringify(this.#sizeText)}`);
		this.#sizeText = "";
		this.#state = this.#remaining === 0 ? "last" : "data";
	}
}
