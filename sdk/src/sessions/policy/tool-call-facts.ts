import type { ToolKind } from "@agentclientprotocol/sdk";
import { isObject } from "../../acp/envelope.ts";
import { type ResolvedPath, resolvePath } from "./path-patterns.ts";
import { readRawInput } from "./raw-input.ts";

/** Every kind of the protocol. */
export const TOOL_KINDS = [
	"read",
	"edit",
	"delete",
	"move",
	"search",
	"execute",
	"think",
	"fetch",
	"switch_mode",
	"other",
] as const satisfies readonly ToolKind[];

/** What a tool call tells about itself. Agents owe none of it, and it may be wrong. */
export interface ToolCallFacts {
	/** The kind as told; `undefined` when it is missing or not one of the protocol. */
	readonly kind: ToolKind | undefined;
	/** The kind, and those that other members speak of: who sends a command executes, whatever it calls that. */
	readonly kinds: ReadonlySet<ToolKind>;
	/** The session's directory; `undefined` when it is not absolute. */
	readonly cwd: ResolvedPath | undefined;
	/** What it touches. */
	readonly paths: readonly ResolvedPath[];
	/** Directories and the like, which say less. */
	readonly places: readonly ResolvedPath[];
	/** Where it runs, as far as it says so. */
	readonly directories: readonly ResolvedPath[];
	/** Whether it names a path of which nobody can be certain. */
	readonly hasUncertainPath: boolean;
	/** Command lines. */
	readonly commands: readonly string[];
	/** Names of the tool. */
	readonly tools: readonly string[];
	/** Meant for people, and so the last resort. */
	readonly title: string;
	/** Whether it asks for more than to run a command: the network, or to leave the agent's own sandbox. */
	readonly asksForMore: boolean;
	/** Whether all of it was read: nothing too long, too deep or of a wrong type. */
	readonly isComplete: boolean;
	/** Whether it tells so little that a rule cannot know whether it is meant. */
	readonly isVague: boolean;
}

const MAX_COMMAND_LENGTH = 32_768;
const MAX_TEXT_LENGTH = 4_096;
const MAX_LIST_LENGTH = 2_000;
/** Of all paths together: each is matched against each pattern while the program waits. */
const MAX_PATHS_LENGTH = 131_072;
const FILE_KINDS: ReadonlySet<ToolKind | undefined> = new Set(["read", "edit", "delete", "move"]);
const MORE = /permission|sandbox|escalat|network|^url$/i;

/** Reads a tool call as an agent sent it: anything may be missing, or be something else than the protocol says. */
export function readToolCall(toolCall: unknown, sessionCwd: string): ToolCallFacts {
	const call = isObject(toolCall) ? toolCall : {};
	const input = isObject(call.rawInput) ? call.rawInput : {};
	const values = readRawInput(call.rawInput);
	const locations = list(call.locations);
	const diffs = list(call.content).filter((block) => isObject(block) && block.type === "diff");
	const commands = values.commands.filter((command) => command !== undefined && command !== null).map(commandLine);
	const tools = toolNames(call, input);

	const cwd = resolvePath(sessionCwd);
	const directories = resolveAll([input.cwd, input.workdir].filter(isString), [cwd]);
	const bases = [cwd, ...directories.paths];
	const named = [...locations, ...diffs].map((place) => (isObject(place) ? place.path : undefined));
	const told = [...named, ...values.paths];
	const length = [...told, ...values.places].reduce<number>((sum, path) => sum + (isString(path) ? path.length : 0), 0);
	const paths = resolveAll(length > MAX_PATHS_LENGTH ? [] : told, bases);
	const places = resolveAll(length > MAX_PATHS_LENGTH ? [] : values.places, bases);

	const kind = TOOL_KINDS.find((known) => known === call.kind);
	const kinds = new Set<ToolKind>([kind ?? "other"]);
	if (commands.length > 0) kinds.add("execute");
	if (diffs.length > 0 && kind !== "delete" && kind !== "move") kinds.add("edit");
	const isUnnamed = tools.length === 0 && (kind ?? "other") === "other";
	return {
		kind,
		kinds,
		cwd,
		paths: paths.paths,
		places: places.paths,
		directories: directories.paths,
		hasUncertainPath: !(paths.isCertain && places.isCertain && directories.isCertain),
		commands: commands.map((command) => command ?? "").map((command) => command.slice(0, MAX_COMMAND_LENGTH)),
		tools,
		title: isString(call.title) ? call.title.slice(0, MAX_TEXT_LENGTH) : "",
		asksForMore: Object.entries(input).some(([key, value]) => MORE.test(key) && Boolean(value)),
		isComplete:
			isObject(toolCall) &&
			values.isComplete &&
			length <= MAX_PATHS_LENGTH &&
			[call.locations, call.content].every(isReadableList) &&
			commands.every((command) => command !== undefined && command.length <= MAX_COMMAND_LENGTH),
		isVague: FILE_KINDS.has(kind)
			? paths.paths.length === 0
			: isUnnamed || (kind === "execute" && tools.length === 0 && commands.length === 0),
	};
}

/** A command of a list is written as a shell would have to be told it. `undefined` when it is none. */
function commandLine(command: unknown): string | undefined {
	if (isString(command)) return command;
	if (!Array.isArray(command) || !command.every(isString)) return undefined;
	return command.map((word) => (word === "" || /[\s\p{Z}]/u.test(word) ? `'${word}'` : word)).join(" ");
}

/** Names as agents tell them: in `name`, in `_meta`, or as a server and its tool. */
function toolNames(call: Record<string, unknown>, input: Record<string, unknown>): string[] {
	const meta = isObject(call._meta) ? call._meta : {};
	const told = [call.name, meta.toolName, ...Object.values(meta).map((value) => isObject(value) && value.toolName)];
	if (isString(input.server) && isString(input.tool)) told.push(`mcp__${input.server}__${input.tool}`);
	return told.filter(isString).filter((name) => name !== "" && name.length <= MAX_TEXT_LENGTH);
}

/** Relative paths may lie in any of the directories: all are meant. */
function resolveAll(values: readonly unknown[], bases: readonly (ResolvedPath | undefined)[]) {
	const texts = new Set(values.filter(isString));
	const resolved = [...texts].flatMap((text) => bases.map((base) => resolvePath(text, base)));
	const paths = resolved.filter((path) => path !== undefined);
	return { paths, isCertain: paths.length === resolved.length && values.every(isString) };
}

function list(value: unknown): unknown[] {
	return Array.isArray(value) ? value.slice(0, MAX_LIST_LENGTH) : [];
}

function isReadableList(value: unknown): boolean {
	return value === undefined || value === null || (Array.isArray(value) && value.length <= MAX_LIST_LENGTH);
}

function isString(value: unknown): value is string {
	return typeof value === "string";
}
