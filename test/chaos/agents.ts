import { existsSync, readFileSync } from "node:fs";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const PROGRAM = fileURLToPath(new URL("agent.ts", import.meta.url));

/** A prompt as an agent got it. */
export interface ReceivedPrompt {
	readonly key: string;
	readonly text: string;
	readonly pid: number;
	/** Epoch milliseconds. */
	readonly at: number;
}

/** The agents' processes of a run, and what they were asked, by their own account. */
export class Agents {
	readonly #file: string;
	readonly #sessions: string;

	constructor(folder: string) {
		this.#file = join(folder, "prompts.jsonl");
		this.#sessions = join(folder, "agent-sessions");
	}

	/** Puts the launcher in place, for a server with this home. */
	async install(home: string): Promise<void> {
		const launcher = join(home, ".local/share/sandbox-agent/bin/agent_processes/mock-acp");
		await mkdir(dirname(launcher), { recursive: true });
		const command = [
			process.execPath,
			"--conditions=sandbox-agent-source",
			"--disable-warning=ExperimentalWarning",
			...[PROGRAM, this.#file, this.#sessions],
		];
		await writeFile(launcher, `#!/bin/sh\nset -e\nexec ${command.map((word) => `'${word}'`).join(" ")}\n`);
		await chmod(launcher, 0o755);
	}

	/** Process ids of those that run. */
	get running(): number[] {
		return [...new Set(this.#lines().flatMap(({ started, pid }) => (started ? [pid] : [])))].filter(isAgent);
	}

	get received(): ReceivedPrompt[] {
		return this.#lines().flatMap(({ prompt, text = "", pid, at }) =>
			prompt === undefined ? [] : [{ key: prompt, text, pid, at }],
		);
	}

	#lines(): { started?: boolean; prompt?: string; text?: string; pid: number; at: number }[] {
		if (!existsSync(this.#file)) return [];
		const lines = readFileSync(this.#file, "utf8").split("\n");
		return lines.flatMap((line) => (line === "" ? [] : [JSON.parse(line)]));
	}
}

/** Whether the process with this id is one of ours: ids are given again. */
function isAgent(pid: number): boolean {
	try {
		return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(PROGRAM);
	} catch {
		// It has ended.
		return false;
	}
}
