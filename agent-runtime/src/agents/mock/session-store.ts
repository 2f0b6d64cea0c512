import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import type { SessionUpdate } from "@agentclientprotocol/sdk";
import { MockSession, type MockSessionRecord } from "./session.ts";

/** How many sessions are kept in memory; the ones used longest ago are forgotten first. */
const MAX_SESSIONS = 1000;
/** How many updates one session can replay. */
const MAX_UPDATES = 10_000;
/** Size at which a session's file grows no further, in bytes. */
const MAX_FILE_BYTES = 8 * 1024 * 1024;

/** One line of a session's file. */
type StoredLine = { session: MockSessionRecord } | { update: SessionUpdate };

/**
 * The sessions of the mock agent. In memory; with a directory also on disk, one file per session, written before the
 * client is told, so that a session can be loaded after the process was killed.
 */
export class MockSessionStore {
	readonly #sessions = new Map<string, MockSession>();
	readonly #directory: string | undefined;

	constructor(directory?: string | undefined) {
		this.#directory = directory;
		if (directory !== undefined) mkdirSync(directory, { recursive: true, mode: 0o700 });
	}

	create(session: MockSession): void {
		this.#remember(session);
		this.save(session);
	}

	/** The session, read from disk where it is not in memory. */
	get(id: string): MockSession | undefined {
		return this.#sessions.get(id) ?? this.#read(id);
	}

	/** Keeps the changed settings, title and time of a session. */
	save(session: MockSession): void {
		this.#append(session.id, { session: session.record });
	}

	/** Adds to what the session replays. The oldest updates are dropped beyond a limit. */
	append(session: MockSession, update: SessionUpdate): void {
		session.history.push(update);
		if (session.history.length > MAX_UPDATES) session.history.shift();
		this.#append(session.id, { update });
	}

	delete(id: string): boolean {
		const known = this.get(id) !== undefined;
		this.#sessions.delete(id);
		if (known && this.#directory !== undefined) rmSync(this.#file(this.#directory, id), { force: true });
		return known;
	}

	/** All sessions, the one used last first. */
	list(): MockSession[] {
		if (this.#directory !== undefined) {
			for (const name of readdirSync(this.#directory)) {
				if (name.endsWith(".jsonl")) this.get(decodeURIComponent(name.slice(0, -".jsonl".length)));
			}
		}
		return [...this.#sessions.values()].sort((a, b) => b.updatedAt.localeCompare(a.updatedAt));
	}

	#remember(session: MockSession): void {
		this.#sessions.set(session.id, session);
		const oldest = this.#sessions.keys().next().value;
		if (this.#sessions.size > MAX_SESSIONS && oldest !== undefined) this.#sessions.delete(oldest);
	}

	#file(directory: string, id: string): string {
		return join(directory, `${encodeURIComponent(id)}.jsonl`);
	}

	#append(id: string, line: StoredLine): void {
		if (this.#directory === undefined) return;
		const file = this.#file(this.#directory, id);
		const size = existsSync(file) ? statSync(file).size : 0;
		if (size < MAX_FILE_BYTES) appendFileSync(file, `${JSON.stringify(line)}\n`, { mode: 0o600 });
	}

	#read(id: string): MockSession | undefined {
		if (this.#directory === undefined) return undefined;
		const file = this.#file(this.#directory, id);
		if (!existsSync(file)) return undefined;
		let session: MockSession | undefined;
		const updates: SessionUpdate[] = [];
		for (const text of readFileSync(file, "utf8").split("\n")) {
			const line = parseLine(text);
			if (line === undefined) continue;
			if ("session" in line) session = new MockSession(line.session);
			else updates.push(line.update);
		}
		session?.history.push(...updates.slice(-MAX_UPDATES));
		if (session !== undefined) this.#remember(session);
		return session;
	}
}

/** One stored line, or `undefined` for the torn last line of a process that was killed. */
function parseLine(text: string): StoredLine | undefined {
	try {
		// The file is our own; a line that parses is one that was written whole.
		return JSON.parse(text) as StoredLine;
	} catch {
		return undefined;
	}
}
