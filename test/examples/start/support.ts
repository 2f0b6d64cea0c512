import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Update } from "../../../examples/start/update.ts";

const root = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))));

/** The updates of a recorded turn, one per line of its file. */
export function recordedTurn(name: string): Update[] {
	return JSON.parse(readFileSync(join(root, "test/fixtures/turns", `${name}.json`), "utf8"));
}

/** Collects what is written. */
export function sheet(): { write: (text: string) => void; readonly text: string } {
	let text = "";
	return {
		write: (piece) => {
			text += piece;
		},
		get text() {
			return text;
		},
	};
}
