const END_OF_HEAD = Buffer.from("\r\n\r\n");
const MAX_HEAD_BYTES = 65_536;

/** The head of an HTTP/1.1 response, as far as the benchmark needs it. */
export interface ResponseHead {
	status: number;
	chunked: boolean;
	/** Undefined when the response has no such field. */
	contentLength: number | undefined;
}

/** Collects bytes until the head of a response is complete. */
export class ResponseHeadParser {
	#bytes = Buffer.alloc(0);

	/** Feeds `buffer[start, end)`. Returns the head and the offset of the first byte of the body, or undefined while incomplete. */
	push(buffer: Uint8Array, start: number, end: number): { head: ResponseHead; bodyStart: number } | undefined {
		const before = this.#bytes.length;
		this.#bytes = Buffer.concat([this.#bytes, buffer.subarray(start, end)]);
		const stop = this.#bytes.indexOf(END_OF_HEAD);
		if (stop === -1) {
			if (this.#bytes.length > MAX_HEAD_BYTES) throw new Error("the head of the response does not end");
			return undefined;
		}
		const head = parseHead(this.#bytes.toString("latin1", 0, stop));
		this.#bytes = Buffer.alloc(0);
		return { head, bodyStart: start + stop + END_OF_HEAD.length - before };
	}
}

function parseHead(text: string): ResponseHead {
	const status = Number(text.slice("HTTP/1.1 ".length, "HTTP/1.1 200".length));
	const length = /^content-length: *(\d+)/im.exec(text)?.[1];
	return {
		status,
		chunked: /^transfer-encoding: *chunked/im.test(text),
		contentLength: length === undefined ? undefined : Number(length),
	};
}
