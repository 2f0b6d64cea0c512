import colours from "picocolors";
import type { Progress, RunResult } from "./run.ts";
import { PROMISES, type PromiseName } from "./verify.ts";

/** Examples shown of one broken promise. */
const EXAMPLES = 5;

/** How often a line is printed where there is no terminal, in milliseconds. */
const LINE_EVERY_MS = 10_000;

/** Shows how a run goes: one line that changes on a terminal, a line now and then elsewhere. */
export class ProgressLine {
	readonly #stream: NodeJS.WriteStream;
	#nextLine = 0;

	constructor(stream: NodeJS.WriteStream) {
		this.#stream = stream;
	}

	show({ phase, elapsedMs, ended, faults, last }: Progress): void {
		const text = `${clock(elapsedMs)}  ${phase}: ${ended} prompts ended, ${faults} faults${last === "" ? "" : `, last: ${last}`}`;
		if (this.#stream.isTTY) {
			this.#stream.write(`\r\x1b[2K${text.slice(0, this.#stream.columns - 1)}`);
		} else if (phase !== "faults" || elapsedMs >= this.#nextLine) {
			this.#nextLine = elapsedMs + LINE_EVERY_MS;
			this.#stream.write(`${text}\n`);
		}
	}

	clear(): void {
		if (this.#stream.isTTY) this.#stream.write("\r\x1b[2K");
	}
}

/** The end of a run as a table. */
export function formatResult(result: RunResult): string {
	const rows = [
		["faults", countsOf(result.faults)],
		["prompts", `${result.prompts}: ${countsOf(result.states)}`],
		["agents got", String(result.received)],
		["events", String(result.events)],
		["takeovers", String(result.takeovers)],
		["came back by", countsOf(result.receipts)],
	];
	return [...rows.map(([name = "", text]) => `${name.padEnd(13)}${text}`), "", ...promiseLines(result)].join("\n");
}

function promiseLines({ broken, folder }: RunResult): string[] {
	const lines = (Object.keys(PROMISES) as PromiseName[]).flatMap((name) => {
		const found = broken.filter(({ promise }) => promise === name);
		if (found.length === 0) return [`${colours.green("kept  ")}  ${PROMISES[name]}`];
		const examples = found.slice(0, EXAMPLES).map(({ text }) => `        ${text}`);
		return [`${colours.red("BROKEN")}  ${PROMISES[name]}: ${found.length} times`, ...examples];
	});
	return folder === undefined ? lines : [...lines, "", `everything is kept in ${folder}`];
}

function countsOf(counts: ReadonlyMap<string, number>): string {
	const sorted = [...counts].sort(([, one], [, other]) => other - one);
	return sorted.map(([name, count]) => `${count} ${name}`).join(", ") || "none";
}

function clock(milliseconds: number): string {
	const seconds = Math.floor(milliseconds / 1_000);
	return `${String(Math.floor(seconds / 60)).padStart(2, "0")}:${String(seconds % 60).padStart(2, "0")}`;
}
