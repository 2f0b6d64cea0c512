import { randomUUID } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stateDirectory } from "./directories.ts";
import { isProcessAlive } from "./process-identity.ts";

/** What is kept about one local server, so that any program of this user can use or restart it. Holds no secret. */
export interface LocalRecord {
	/** Address it binds. */
	readonly bindHost: string;
	readonly port: number;
	readonly pid: number;
	readonly startTime: string | undefined;
	/** Private directory: `token` (0600), `server.log`, and `state` with the event logs. */
	readonly directory: string;
	/** Names of the variables given by options; a restart needs the same ones. */
	readonly variables: readonly string[];
	readonly detached: boolean;
}

/** Records of servers that died this long ago are removed, with their logs. */
const RETENTION_MS = 7 * 24 * 60 * 60 * 1000;

function recordsDirectory(): string {
	return join(stateDirectory(), "local");
}

function recordPath(id: string): string {
	// The usual address is left out, so that the file is named after the port alone.
	const name = id.replace(/^127\.0\.0\.1:/, "").replaceAll(/[^\w.-]/g, "_");
	return join(recordsDirectory(), `${name}.json`);
}

/** The record of a sandbox id `<host>:<port>`, `undefined` when there is none. */
export async function readRecord(id: string): Promise<LocalRecord | undefined> {
	return await readRecordFile(recordPath(id));
}

async function readRecordFile(path: string): Promise<LocalRecord | undefined> {
	try {
		// Written by this module only, in a directory only this user can write.
		return JSON.parse(await readFile(path, "utf8")) as LocalRecord;
	} catch (error) {
		if (isMissing(error) || error instanceof SyntaxError) return undefined;
		throw error;
	}
}

/** Writes a record. A record of an earlier server on the same port is replaced and its directory removed. */
export async function writeRecord(id: string, record: LocalRecord): Promise<void> {
	const path = recordPath(id);
	const previous = await readRecordFile(path);
	const partial = `${path}.${randomUUID()}`;
	await writeFile(partial, `${JSON.stringify(record)}\n`, { mode: 0o600 });
	await rename(partial, path);
	if (previous && previous.directory !== record.directory) await removeDirectory(previous.directory);
}

/** Removes the record and everything the server kept. */
export async function removeRecord(id: string, record: LocalRecord): Promise<void> {
	await rm(recordPath(id), { force: true });
	await removeDirectory(record.directory);
}

/** A new private directory with a token file in it. */
export async function createPrivateDirectory(token: string): Promise<string> {
	const directory = join(recordsDirectory(), randomUUID());
	await mkdir(directory, { recursive: true, mode: 0o700 });
	await writeFile(join(directory, "token"), token, { mode: 0o600, flag: "wx" });
	return directory;
}

/** Removes a private directory, whatever is in it. */
export async function removeDirectory(directory: string): Promise<void> {
	await rm(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
}

/** The token of a local server. */
export async function readToken(record: LocalRecord): Promise<string | undefined> {
	try {
		return await readFile(join(record.directory, "token"), "utf8");
	} catch (error) {
		if (isMissing(error)) return undefined;
		throw error;
	}
}

/** The records of all local sandboxes of this user. */
export async function listRecords(): Promise<LocalRecord[]> {
	const directory = recordsDirectory();
	const records: LocalRecord[] = [];
	for (const name of await recordNames(directory)) {
		const record = await readRecordFile(join(directory, name));
		if (record) records.push(record);
	}
	return records;
}

async function recordNames(directory: string): Promise<string[]> {
	try {
		return (await readdir(directory)).filter((entry) => entry.endsWith(".json"));
	} catch (error) {
		if (isMissing(error)) return [];
		throw error;
	}
}

/** Removes what servers that died long ago have left. */
export async function sweepRecords(now: number = Date.now()): Promise<void> {
	const directory = recordsDirectory();
	for (const name of await recordNames(directory)) {
		const path = join(directory, name);
		// Another program may sweep at the same time.
		const written = await stat(path).catch(() => undefined);
		if (!written || now - written.mtimeMs < RETENTION_MS) continue;
		const record = await readRecordFile(path);
		if (record && isProcessAlive(record)) continue;
		await rm(path, { force: true });
		if (record) await removeDirectory(record.directory);
	}
}

function isMissing(error: unknown): boolean {
	return error instanceof Error && "code" in error && error.code === "ENOENT";
}
