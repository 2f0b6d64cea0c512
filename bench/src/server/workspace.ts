import type { ChildProcess } from "node:child_process";
import { spawnSync } from "node:child_process";
import {
	chmodSync,
	copyFileSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readlinkSync,
	rmSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const AGENT_SOURCES = fileURLToPath(new URL("../agent/", import.meta.url));

/** A folder with everything that a server finds and leaves behind, and the environment that points to it. */
export interface Home {
	directory: string;
	environment: NodeJS.ProcessEnv;
}

/** How the scripted agent came to be: a compiled program, or a Node script where there is no C compiler. */
export type AgentBuild = "c" | "node";

/**
 * The private folder of one run, and everything that has to end with it.
 *
 * All servers get their home, data, state and temporary directories inside of it.
 */
export class Workspace {
	readonly directory = mkdtempSync(join(tmpdir(), "sandbox-agent-bench-"));
	readonly agentPath = join(this.directory, "scripted-agent");
	readonly agentBuild: AgentBuild;
	readonly #children = new Set<ChildProcess>();
	#homes = 0;

	constructor() {
		this.agentBuild = this.#buildAgent();
	}

	/**
	 * A new home with a data directory in which the scripted agent is the launcher of `mock`. Returns the environment for a server
	 * that lives there. Nothing of this process's environment but PATH is in it.
	 */
	newHome(): Home {
		this.#homes += 1;
		const directory = join(this.directory, `home-${this.#homes}`);
		const launchers = join(directory, "data/sandbox-agent/bin/agent_processes");
		for (const folder of [launchers, join(directory, "state"), join(directory, "tmp")])
			mkdirSync(folder, { recursive: true });
		const launcher = join(launchers, "mock-acp");
		copyFileSync(this.agentPath, launcher);
		chmodSync(launcher, 0o755);
		const environment = {
			PATH: process.env.PATH,
			HOME: directory,
			XDG_DATA_HOME: join(directory, "data"),
			XDG_STATE_HOME: join(directory, "state"),
			TMPDIR: join(directory, "tmp"),
		};
		return { directory, environment };
	}

	/** Removes a home once its server has ended. */
	removeHome({ directory }: Home): void {
		rmSync(directory, { recursive: true, force: true });
	}

	/** Takes over a child that leads a process group of its own: {@link dispose} ends the group. */
	adopt(child: ChildProcess): void {
		this.#children.add(child);
		child.once("exit", () => this.#children.delete(child));
	}

	/** Ends all that is left and removes the folder. Synchronous, so that it also works in an exit handler. Idempotent. */
	dispose(): void {
		for (const child of this.#children) killGroup(child);
		this.#children.clear();
		for (const pid of this.#agentsLeft()) killIfAlive(pid);
		rmSync(this.directory, { recursive: true, force: true, maxRetries: 3 });
	}

	#buildAgent(): AgentBuild {
		const source = join(AGENT_SOURCES, "scripted-agent.c");
		const compiled = spawnSync("cc", ["-O2", "-o", this.agentPath, source], { stdio: "ignore" });
		if (compiled.status === 0) return "c";
		const script = join(AGENT_SOURCES, "scripted-agent.mjs");
		writeFileSync(this.agentPath, `#!/bin/sh\nexec '${process.execPath}' '${script}'\n`, { mode: 0o755 });
		return "node";
	}

	/** Agents whose executable lies in this folder: those that a killed server left behind. Linux only. */
	#agentsLeft(): number[] {
		if (process.platform !== "linux") return [];
		const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
		return pids.map(Number).filter((pid) => executableOf(pid).startsWith(`${this.directory}/`));
	}
}

function executableOf(pid: number): string {
	try {
		return readlinkSync(`/proc/${pid}/exe`);
	} catch {
		// The process ended meanwhile, or belongs to somebody else.
		return "";
	}
}

/** Sends SIGKILL to the process group of a child that leads one. */
export function killGroup(child: ChildProcess): void {
	if (child.pid !== undefined) killIfAlive(-child.pid);
}

function killIfAlive(pid: number): void {
	try {
		process.kill(pid, "SIGKILL");
	} catch (error) {
		if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
	}
}
