import type { ChildGroup, ChildGroups } from "./child-groups.ts";
import type { ProcessEnvironment } from "./process-environment.ts";
import type { Program } from "./program.ts";
import { type Child, spawnChild } from "./spawn-child.ts";

/** A process that runs, with the group it leads. */
export interface Launched {
	readonly child: Child;
	readonly group: ChildGroup;
	/** Resolves when the leader has ended; its output may not have been read yet. Never rejects. */
	readonly exited: Promise<Exit>;
}

/** How a process has ended: one of the two. */
export type Exit = readonly [code: number | null, signal: NodeJS.Signals | null];

/** Starts processes in groups that this server takes care of. */
export class ProcessLauncher {
	readonly #groups: ChildGroups;
	readonly #environment: ProcessEnvironment;
	readonly #homeDirectory: string;

	constructor(groups: ChildGroups, environment: ProcessEnvironment, homeDirectory: string) {
		this.#homeDirectory = homeDirectory;
		this.#groups = groups;
		this.#environment = environment;
	}

	/**
	 * @param options.extra Variables below those of the program.
	 * @throws stream_error when the system cannot start it.
	 */
	async launch(
		program: Program,
		options: { readonly stdin: "pipe" | "null"; readonly extra?: Readonly<Record<string, string>> },
	): Promise<Launched> {
		const { mark, variables } = this.#environment.next(options.extra ?? {}, program.env);
		const cwd = program.cwd?.replace(/^~(?=\/|$)/, () => this.#homeDirectory);
		const child = await spawnChild({ ...program, cwd }, { environment: variables, stdin: options.stdin });
		const group = this.#groups.adopt(child.pid, mark);
		const exited = new Promise<Exit>((resolve) => {
			child.once("exit", (code, signal) => {
				group.leaderEnded();
				resolve([code, signal]);
			});
		});
		return { child, group, exited };
	}
}
