import { randomUUID } from "node:crypto";

/** Variables that hold the server's own token or where it lies: no child inherits them. */
const TOKEN_VARIABLE_PREFIX = "SANDBOX_AGENT_TOKEN";

/** In the environment of every process: which server started it, and as which group. */
export const PROCESS_MARKER_VARIABLE = "SANDBOX_AGENT_PROCESS";

/** What the processes of one server inherit, and how each is marked. */
export class ProcessEnvironment {
	/** Begins the mark of every process of this server; no other server has it. */
	readonly markPrefix = `${randomUUID()}.`;
	readonly #inherited: Readonly<Record<string, string>>;
	#count = 0;

	/**
	 * @param server The server's environment.
	 * @param program Absolute path of the server's own program: children find it in SANDBOX_AGENT_BIN, and a later server
	 * knows them by it.
	 */
	constructor(server: NodeJS.ProcessEnv, program: string) {
		const inherited: Record<string, string> = {};
		for (const [name, value] of Object.entries(server)) {
			if (value !== undefined && !name.startsWith(TOKEN_VARIABLE_PREFIX)) inherited[name] = value;
		}
		this.#inherited = { ...inherited, SANDBOX_AGENT_BIN: program };
	}

	/** The environment of one more process. Later parts win. */
	next(...parts: readonly Readonly<Record<string, string>>[]): { mark: string; variables: Record<string, string> } {
		this.#count += 1;
		// The last character ends the number: the mark of the first process does not begin that of the tenth.
		const mark = `${this.markPrefix}${this.#count};`;
		return { mark, variables: Object.assign({}, this.#inherited, ...parts, { [PROCESS_MARKER_VARIABLE]: mark }) };
	}
}
