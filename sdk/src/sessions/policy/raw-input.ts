import { isObject } from "../../acp/envelope.ts";

/** What the input of a tool seems to name, by the names of its members. Values are as they came. */
export interface RawInputValues {
	readonly paths: unknown[];
	/** Directories, sources and targets: places that are near what is touched, or no paths at all. */
	readonly places: string[];
	readonly commands: unknown[];
	/** `false` when there was more than can be read. */
	readonly isComplete: boolean;
}

const MAX_MEMBERS = 2_000;
const MAX_DEPTH = 8;

/** Last words of names: `file_path`, `notebookPath` and `path` all name a path. */
const PATH_WORDS = new Set(["path", "paths", "file", "files", "filepath", "filepaths", "filename", "filenames"]);
const PLACE_WORDS = new Set(
	["cwd", "workdir", "root", "source", "src", "destination", "dest", "target"].concat(
		["dir", "directory", "folder"],
		["dirs", "directories", "folders"],
	),
);
const COMMAND_WORDS = new Set(["command", "commands", "cmd", "script"]);

/** Collects what is known by its name, at any depth. Every agent and every MCP server has an input of its own. */
export function readRawInput(rawInput: unknown): RawInputValues {
	const [paths, places, commands]: [unknown[], string[], unknown[]] = [[], [], []];
	let members = 0;
	let isComplete = true;
	const walk = (value: unknown, depth: number): void => {
		if (typeof value !== "object" || value === null || !isComplete) return;
		isComplete = depth <= MAX_DEPTH;
		for (const [key, member] of Object.entries(value)) {
			if (!isComplete || ++members > MAX_MEMBERS) {
				isComplete = false;
				return;
			}
			const word = lastWord(key);
			if (COMMAND_WORDS.has(word)) commands.push(member);
			else if (PATH_WORDS.has(word)) paths.push(...leaves(member));
			else if (PLACE_WORDS.has(word)) places.push(...leaves(member).filter((leaf) => typeof leaf === "string"));
			walk(member, depth + 1);
		}
	};
	walk(rawInput, 0);
	return { paths, places, commands, isComplete };
}

function lastWord(name: string): string {
	const words = name.replaceAll(/([a-z0-9])([A-Z])/g, "$1_$2").toLowerCase();
	return words.split(/[^a-z0-9]+/).at(-1) ?? "";
}

/** A value or those of a list; objects are walked on their own. */
function leaves(value: unknown): unknown[] {
	const values = Array.isArray(value) ? value.slice(0, MAX_MEMBERS) : [value];
	return values.filter((leaf) => leaf !== undefined && leaf !== null && !isObject(leaf));
}
