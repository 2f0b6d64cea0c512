import { invalidRequest } from "../server/request-errors.ts";

/** What to run, as a request names it. */
export interface ProgramRequest {
	readonly command: string;
	readonly args?: readonly string[] | undefined;
	readonly cwd?: string | null | undefined;
	readonly env?: Readonly<Record<string, string>> | undefined;
}

/** What to run, checked. */
export interface Program {
	readonly command: string;
	readonly args: readonly string[];
	/** `undefined`: the server's. A leading `~` is the home directory of the server's user. */
	readonly cwd: string | undefined;
	/** What the request adds to the environment. */
	readonly env: Readonly<Record<string, string>>;
}

/** @throws invalid_request for what no system could start: it would be cut at the zero byte, or read as something else. */
export function checkProgram(request: ProgramRequest): Program {
	const { command, args = [], env = {} } = request;
	const cwd = request.cwd ?? undefined;
	if (command.trim() === "") throw invalidRequest("command must not be empty");
	if (cwd === "") throw invalidRequest("cwd must not be empty");
	if ([command, ...args, cwd ?? ""].some(hasZero)) {
		throw invalidRequest("command, args and cwd must not contain a zero byte");
	}
	for (const [name, value] of Object.entries(env)) {
		if (name === "" || name.includes("=") || hasZero(name)) {
			throw invalidRequest(`env: ${JSON.stringify(name)} cannot be the name of a variable`);
		}
		if (hasZero(value)) throw invalidRequest(`env: the value of ${name} must not contain a zero byte`);
	}
	return { command, args, cwd, env };
}

function hasZero(text: string): boolean {
	return text.includes("\0");
}
