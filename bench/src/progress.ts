import { paint } from "./report/table.ts";

/** Progress lines on standard error: one line that is rewritten on a terminal, one line per change elsewhere. */
export class Progress {
	readonly #stream: NodeJS.WriteStream;
	#shown = "";

	constructor(stream: NodeJS.WriteStream) {
		this.#stream = stream;
	}

	show(text: string): void {
		if (text === this.#shown) return;
		this.#shown = text;
		if (this.#stream.isTTY) {
			const fitting = text.slice(0, Math.max(0, this.#stream.columns - 1));
			this.#stream.write(`\r\u001b[K${paint({ text: fitting, style: "dim" }, process.env.NO_COLOR === undefined)}`);
		} else this.#stream.write(`${text}\n`);
	}

	/** Removes the line that is rewritten. */
	clear(): void {
		if (this.#stream.isTTY && this.#shown !== "") this.#stream.write("\r\u001b[K");
		this.#shown = "";
	}
}
