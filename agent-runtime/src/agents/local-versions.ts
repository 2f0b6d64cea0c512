import { stat } from "node:fs/promises";
import { versionIn } from "./install/verify.ts";
import { ProcessTransport } from "./transport/process-transport.ts";

/** How long a program may take to print its version, in ms: a launcher that knows no such option starts an agent. */
const PATIENCE_MS = 5000;

/** The versions of programs that somebody put in place, asked for once and again when the file has changed. */
export class LocalVersions {
	readonly #environment: Readonly<Record<string, string>>;
	readonly #known = new Map<string, { changedAt: number; version: Promise<string | undefined> }>();

	constructor(environment: Readonly<Record<string, string>>) {
		this.#environment = environment;
	}

	/** The first version-like word of what `<program> --version` prints; `undefined` when it prints none. */
	async of(program: string, again: boolean): Promise<string | undefined> {
		const changedAt = await stat(program).then(
			({ mtimeMs }) => mtimeMs,
			() => undefined,
		);
		if (changedAt === undefined) return undefined;
		const known = this.#known.get(program);
		if (known && !again && known.changedAt === changedAt) return known.version;
		const version = this.#ask(program);
		this.#known.set(program, { changedAt, version });
		return version;
	}

	async #ask(command: string): Promise<string | undefined> {
		let transport: ProcessTransport;
		try {
			transport = await ProcessTransport.start({ command, args: ["--version"], environment: this.#environment });
		} catch {
			// A file that cannot be run has no version; starting the agent reports why.
			return undefined;
		}
		let output = "";
		transport.onLines((lines) => {
			for (const line of lines) output = `${output}\n${Buffer.from(line)}`.slice(-4096);
		});
		// The end of its input is what an agent that knows no such option ends at.
		await transport.close({ graceMs: PATIENCE_MS });
		return versionIn(output);
	}
}
