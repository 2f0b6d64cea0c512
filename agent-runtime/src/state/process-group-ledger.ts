import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { killLeftoverGroup, type ProcessGroup, signalGroup } from "../agents/transport/process-group.ts";
import { processStartTime } from "../agents/transport/process-identity.ts";

/**
 * The process groups this server has started, on disk, so that the next server can end what a killed one left running.
 * One small file per group: a group is added and removed without touching the others.
 */
export class ProcessGroupLedger {
	readonly #directory: string | undefined;
	readonly #living = new Set<number>();

	/** @param directory Folder for the files, made when missing; `undefined`: remembered in memory only. */
	constructor(directory: string | undefined) {
		this.#directory = directory;
		if (directory !== undefined) mkdirSync(directory, { recursive: true, mode: 0o700 });
	}

	/** Remembers a group, by the id of its leader. A group that has ended meanwhile does no harm. */
	async addGroup(pgid: number): Promise<void> {
		this.#living.add(pgid);
		const startTime = await processStartTime(pgid);
		// It may have been removed while its start time was read.
		if (this.#directory === undefined || !this.#living.has(pgid)) return;
		const entry = { pid: pgid, pgid, startTime };
		writeFileSync(join(this.#directory, fileName(pgid)), JSON.stringify(entry), { mode: 0o600 });
	}

	/** Forgets a group of which no process is left. */
	removeGroup(pgid: number): void {
		this.#living.delete(pgid);
		if (this.#directory !== undefined) rmSync(join(this.#directory, fileName(pgid)), { force: true });
	}

	/**
	 * Ends what an earlier server with this directory left running, and forgets it. Only processes that are provably the
	 * recorded ones are touched. Call it once, before the first group is added.
	 * @returns ids of the groups of which something was ended.
	 */
	async killLeftovers(): Promise<number[]> {
		if (this.#directory === undefined) return [];
		const directory = this.#directory;
		const names = readdirSync(directory).filter(isGroupFile);
		const killed = await Promise.all(
			names.map(async (name) => {
				const path = join(directory, name);
				const group = parseGroup(readFileSync(path, "utf8"));
				const ended = group !== undefined && (await killLeftoverGroup(group));
				rmSync(path, { force: true });
				return ended ? group.pgid : undefined;
			}),
		);
		return killed.filter((pgid) => pgid !== undefined);
	}

	/** Ends every remembered group at once, for a server that has no time left. */
	killNow(): void {
		for (const pgid of this.#living) signalGroup(pgid, "SIGKILL");
	}
}

/** Whether a file of the ledger's folder is one of its entries. */
export function isGroupFile(name: string): boolean {
	return /^\d+\.json$/.test(name);
}

function fileName(pgid: number): string {
	return `${pgid}.json`;
}

/** `undefined` for a file that was cut off when its server died. */
export function parseGroup(text: string): ProcessGroup | undefined {
	try {
		const value: unknown = JSON.parse(text);
		if (typeof value !== "object" || value === null || !("pgid" in value)) return undefined;
		const { pgid } = value;
		// Small numbers are never a group of ours; 0 and 1 would mean "mine" and "everybody's".
		if (typeof pgid !== "number" || !Number.isSafeInteger(pgid) || pgid < 2) return undefined;
		return {
			pgid,
			startTime: "startTime" in value && typeof value.startTime === "string" ? value.startTime : undefined,
		};
	} catch (error) {
		if (error instanceof SyntaxError) return undefined;
		throw error;
	}
}
