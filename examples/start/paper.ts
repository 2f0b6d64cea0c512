import { stripVTControlCharacters } from "node:util";
import stringWidth from "string-width";

/** Where text goes, and how wide it may be. */
export interface PaperOptions {
	readonly write: (text: string) => void;
	/** Columns of the output. */
	readonly columns: number;
	/** Blank columns at the left of every line. @default 2 */
	readonly margin?: number;
}

/** How a piece of text looks. It is applied word by word, so that a style never spans a line break. */
export type Style = (text: string) => string;

/** How list items begin in what agents write. */
const LIST_MARK = /^([-*•✗]|\d+[.)])$/;

const plain: Style = (text) => text;

/**
 * Writes text that comes in pieces, wrapped at word boundaries, without ever moving the cursor back. What it has written
 * stays, so the same output is right on a terminal and in a file.
 */
export class Paper {
	readonly #write: (text: string) => void;
	readonly #right: number;
	readonly #margin: string;
	/** Columns used on the current line, margin included; 0 = nothing written yet. */
	#column = 0;
	/** Blanks before the next word: written only when the word follows on the same line. */
	#blanks = "";
	/** Blanks that wrapped lines begin with, so that they stand under the text of their list item. */
	#indentation = 0;
	/** The beginning of a word whose end has not come yet. */
	#word = "";
	#style: Style = plain;
	#blankLine = true;

	constructor(options: PaperOptions) {
		this.#write = options.write;
		this.#right = Math.max(20, options.columns) - 1;
		this.#margin = " ".repeat(options.margin ?? 2);
	}

	/** Continues the text. */
	text(text: string, style: Style = plain): void {
		if (style !== this.#style) this.#flush();
		this.#style = style;
		for (const piece of text.replaceAll("\t", "    ").split(/(\r?\n| +)/)) {
			if (piece === "") continue;
			if (piece.endsWith("\n")) this.#newline();
			else if (piece.startsWith(" ")) {
				this.#flush();
				this.#blanks += piece;
			} else this.#word += piece;
		}
	}

	/** A line of its own, wrapped where it is longer than the width. */
	line(text: string, style: Style = plain): void {
		this.endLine();
		this.text(text, style);
		this.#newline();
	}

	/** Ends the line that has been begun, if any. */
	endLine(): void {
		this.#flush();
		if (this.#column > 0) this.#newline();
	}

	/** Leaves one blank line, unless there is one already. */
	gap(): void {
		this.endLine();
		if (!this.#blankLine) this.#newline();
	}

	/** Writes the last word, which may still have been waiting for its end. */
	flush(): void {
		this.#flush();
	}

	#newline(): void {
		this.#flush();
		this.#blanks = "";
		if (this.#column === 0) {
			// Agents end one message and begin the next with empty lines; one of them is enough.
			if (this.#blankLine) return;
			this.#blankLine = true;
		} else this.#blankLine = false;
		this.#column = 0;
		this.#write("\n");
	}

	#flush(): void {
		if (this.#word === "") return;
		const width = stringWidth(this.#word);
		if (this.#column === 0) {
			this.#indentation = this.#blanks.length + (LIST_MARK.test(stripVTControlCharacters(this.#word)) ? width + 1 : 0);
		} else if (this.#column + this.#blanks.length + width > this.#right) {
			this.#write("\n");
			this.#column = 0;
			this.#blanks = " ".repeat(Math.min(this.#indentation, this.#right >> 1));
		}
		const before = (this.#column === 0 ? this.#margin : "") + this.#blanks;
		this.#write(before + this.#style(this.#word));
		// A word longer than the line is left to the terminal, which breaks it without losing a letter.
		this.#column += before.length + width;
		this.#word = "";
		this.#blanks = "";
	}
}
