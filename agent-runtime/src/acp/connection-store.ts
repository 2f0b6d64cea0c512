import { randomUUID } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { type AgentId, isAgentId } from "@sandbox-agent/core/api";
import { archiveFolder, enforceRetention } from "../log/index.ts";

/** What is kept about a connection beside its log and its requests. */
export interface ConnectionRecord {
	readonly serverId: string;
	readonly agent: AgentId;
	readonly createdAtMs: number;
	/** Generation of the last agent process that was started. */
	readonly generation: number;
	/** Whether that process was still there when this was written. */
	readonly alive: boolean;
}

/** Where one connection keeps what must survive this process. Every path is `undefined` when nothing can be kept. */
export interface ConnectionDirectory {
	readonly path: string | undefined;
	readonly logPath: string | undefined;
	readonly journalPath: string | undefined;
}

const RECORD_FILE = "connection.json";
/** The name of that file once the connection was closed: whatever happens then, nobody brings it back. */
const CLOSED_FILE = "closed.json";
/** A connection of an earlier server. */
export interface StoredConnection {
	readonly directory: ConnectionDirectory;
	readonly record: ConnectionRecord;
}

const NOWHERE: ConnectionDirectory = { path: undefined, logPath: undefined, journalPath: undefined };

/**
 * The connections of one server on disk: a folder each, with `connection.json`, the event log and the request journal.
 * Folder names are random, because an id may be any text and is free again after a DELETE.
 */
export class ConnectionStore {
	readonly #root: string | undefined;
	readonly #archive: string | undefined;
	readonly #onError: (error: unknown) => void;

	/** @param stateDirectory `undefined`: nothing is kept. */
	constructor(stateDirectory: string | undefined, onError: (error: unknown) => void) {
		this.#root = stateDirectory && join(stateDirectory, "connections");
		this.#archive = stateDirectory && join(stateDirectory, "archive");
		this.#onError = onError;
	}

	/** Makes the folder of a new connection. A disk that refuses costs durability, not the connection. */
	create(record: ConnectionRecord): ConnectionDirectory {
		if (this.#root === undefined) return NOWHERE;
		const path = join(this.#root, randomUUID());
		try {
			mkdirSync(path, { recursive: true, mode: 0o700 });
			const directory = directoryAt(path);
			this.#write(path, record);
			return directory;
		} catch (error) {
			this.#onError(error);
			return NOWHERE;
		}
	}

	save(directory: ConnectionDirectory, record: ConnectionRecord): void {
		if (directory.path === undefined) return;
		try {
			this.#write(directory.path, record);
		} catch (error) {
			this.#onError(error);
		}
	}

	/** The connections an earlier server with this state directory had, and what is left of those that were closed. */
	list(): { open: StoredConnection[]; closed: ConnectionDirectory[] } {
		const open: StoredConnection[] = [];
		const closed: ConnectionDirectory[] = [];
		if (this.#root === undefined) return { open, closed };
		for (const name of this.#names(this.#root)) {
			const path = join(this.#root, name);
			const record = this.#read(path);
			// A record that cannot be read is reported, once: nobody can ask for a connection without a name.
			if (record) open.push({ directory: directoryAt(path), record });
			else closed.push(directoryAt(path));
		}
		return { open, closed };
	}

	/** The connection is closed for good, also for a server that comes after a crash. Its files are for `archive`. */
	close(directory: ConnectionDirectory): void {
		const { path } = directory;
		if (path === undefined) return;
		try {
			renameSync(join(path, RECORD_FILE), join(path, CLOSED_FILE));
		} catch (error) {
			if (!isMissing(error)) this.#onError(error);
		}
	}

	/**
	 * Puts the log of a closed connection where retention looks for it, drops the rest of its folder, and removes what
	 * retention no longer allows. Never rejects: a disk that refuses costs space, not the answer of a DELETE.
	 *
	 * @param liveBytes Bytes of the logs in use, which count towards the total.
	 */
	async archive(directory: ConnectionDirectory, liveBytes: number): Promise<void> {
		const { path, logPath } = directory;
		if (path === undefined || logPath === undefined || this.#archive === undefined) return;
		this.close(directory);
		try {
			// A server that was killed at any point of this leaves a folder that the next one archives.
			await unlessMissing(rename(join(path, CLOSED_FILE), join(logPath, RECORD_FILE)));
			await unlessMissing(archiveFolder(logPath, this.#archive));
			await rm(path, { recursive: true, force: true });
			await enforceRetention({ root: this.#archive, liveBytes, onError: this.#onError });
		} catch (error) {
			this.#onError(error);
		}
	}

	/** Epoch milliseconds of the last request of a stored connection; `undefined` when that cannot be told. */
	lastUsedAt(directory: ConnectionDirectory): number | undefined {
		if (directory.journalPath === undefined) return undefined;
		return statSync(directory.journalPath, { throwIfNoEntry: false })?.mtimeMs;
	}

	#write(path: string, record: ConnectionRecord): void {
		const file = join(path, RECORD_FILE);
		writeFileSync(`${file}.next`, JSON.stringify(record), { mode: 0o600 });
		renameSync(`${file}.next`, file);
	}

	#names(root: string): string[] {
		try {
			return readdirSync(root);
		} catch (error) {
			if (!isMissing(error)) this.#onError(error);
			return [];
		}
	}

	#read(path: string): ConnectionRecord | undefined {
		try {
			const value: Partial<ConnectionRecord> = JSON.parse(readFileSync(join(path, RECORD_FILE), "utf8"));
			const { serverId, agent, createdAtMs, generation, alive } = value;
			if (typeof serverId !== "string" || typeof agent !== "string" || !isAgentId(agent)) return undefined;
			if (typeof createdAtMs !== "number" || typeof generation !== "number") return undefined;
			return { serverId, agent, createdAtMs, generation, alive: alive === true };
		} catch (error) {
			if (!isMissing(error)) this.#onError(error);
			return undefined;
		}
	}
}

function isMissing(error: unknown): boolean {
	return error instanceof Error && "code" in error && error.code === "ENOENT";
}

async function unlessMissing(work: Promise<unknown>): Promise<void> {
	try {
		await work;
	} catch (error) {
		if (!isMissing(error)) throw error;
	}
}

function directoryAt(path: string): ConnectionDirectory {
	return { path, logPath: join(path, "log"), journalPath: join(path, "requests.jsonl") };
}
