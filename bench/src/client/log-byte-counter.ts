const LINE_FEED = 10;
const EQUALS = 61;
/** First letters of the lines that count: `data: ...` and, before it, `id: <sequence>`. */
const DATA = 100;
const ID = 105;
const ID_PREFIX_LENGTH = "id: ".length;
/** A data line of the process log without its payload and without the digits of its sequence. */
const ENVELOPE_LENGTH =
	'data: {"sequence":,"stream":"stdout","timestampMs":,"data":"","encoding":"base64"}'.length +
	String(Date.now()).length;

/**
 * Counts the output in an event stream of the log of a process by the lengths of its lines, so that the reader is not what
 * is measured: parsing and decoding would take longer than some servers need to send. Whatever order its members have,
 * an entry on stdout is its base64 and a known number of other bytes, and nothing else in the stream has an equals sign.
 */
export class LogByteCounter {
	/** Entries seen. */
	entries = 0;
	#base64 = 0;
	#padding = 0;
	#lineLength = 0;
	#firstLetter = 0;
	/** How many digits the sequence of the event has. */
	#digits = 0;

	/** Bytes of output in all entries so far. */
	get bytes(): number {
		return (this.#base64 / 4) * 3 - this.#padding;
	}

	/** Feeds the next piece of the body. Cuts may fall anywhere. */
	push(chunk: Uint8Array): void {
		for (let at = chunk.indexOf(EQUALS); at !== -1; at = chunk.indexOf(EQUALS, at + 1)) this.#padding += 1;
		for (let at = 0; at < chunk.length; ) {
			const newline = chunk.indexOf(LINE_FEED, at);
			const stop = newline === -1 ? chunk.length : newline;
			if (this.#lineLength === 0) this.#firstLetter = chunk[at] ?? 0;
			this.#lineLength += stop - at;
			if (newline === -1) return;
			this.#endLine();
			at = stop + 1;
		}
	}

	#endLine(): void {
		if (this.#firstLetter === ID) this.#digits = this.#lineLength - ID_PREFIX_LENGTH;
		// The events at the end of a stream are shorter than the envelope of an entry.
		if (this.#firstLetter === DATA && this.#lineLength > ENVELOPE_LENGTH) {
			this.entries += 1;
			this.#base64 += this.#lineLength - ENVELOPE_LENGTH - this.#digits;
		}
		this.#lineLength = 0;
	}
}
