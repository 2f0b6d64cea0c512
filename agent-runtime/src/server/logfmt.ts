/** Values of a log line, in order. `undefined` ones are left out. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

export type LogLevel = "info" | "warn" | "error";

/** One log line as data. */
export interface LogEntry {
	/** Epoch milliseconds. */
	readonly at: number;
	readonly level: LogLevel;
	readonly message: string;
	readonly fields: LogFields;
}

/** One line of `key=value` pairs, without newline: for files, pipes and log collectors. */
export function toLogfmt(entry: LogEntry): string {
	const head = `ts=${isoTime(entry.at)} level=${entry.level} target=sandbox_agent`;
	return `${head} message=${quote(entry.message)}${pairs(entry.fields)}`;
}

let second = Number.NaN;
let secondText = "";

/** ISO time with milliseconds. Lines come in bursts, and formatting the date is what a line costs most. */
function isoTime(at: number): string {
	const milliseconds = at % 1000;
	if (at - milliseconds !== second) {
		second = at - milliseconds;
		secondText = new Date(second).toISOString().slice(0, -4);
	}
	return `${secondText}${String(milliseconds).padStart(3, "0")}Z`;
}

/** One line for a person at a terminal, with colours, without newline. */
export function toTerminalLine(entry: LogEntry): string {
	const time = new Date(entry.at).toTimeString().slice(0, 8);
	const colour = { info: "", warn: "\u001b[33m", error: "\u001b[31m" }[entry.level];
	return `\u001b[2m${time}\u001b[0m ${colour}${oneLine(entry.message)}\u001b[0m\u001b[2m${pairs(entry.fields)}\u001b[0m`;
}

function pairs(fields: LogFields): string {
	let text = "";
	for (const [name, value] of Object.entries(fields)) {
		if (value !== undefined) text += ` ${name}=${typeof value === "string" ? quote(value) : value}`;
	}
	return text;
}

/** Bare where nothing in it needs quotes. Control characters are escaped: nobody writes lines or colours into our log. */
function quote(value: string): string {
	return /^[\w@%+:,./[\]?&=-]+$/.test(value) && !value.includes("=") ? value : escapeControls(JSON.stringify(value));
}

function oneLine(value: string): string {
	return escapeControls(JSON.stringify(value)).slice(1, -1).replaceAll('\\"', '"');
}

/** JSON escapes the controls below 0x20; the ones above DEL steer some terminals too. */
function escapeControls(json: string): string {
	return json.replace(
		/[\u007f-\u009f\u2028\u2029]/g,
		(character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
	);
}
