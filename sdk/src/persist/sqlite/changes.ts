import type { StoreChange } from "@sandbox-agent/core/session";
import { unref } from "@sandbox-agent/core/util";
import type { SqliteConnection } from "./connection.ts";

/** So many of the latest deletions are kept for those who watch. */
const KEPT_DELETIONS = 10_000;

interface Watcher {
	readonly tell: (change: StoreChange) => void;
}

/**
 * Who is told about changes. Those of this driver are told as they happen; whether other connections have written is
 * one cheap look at the file now and then, which only happens while somebody watches.
 */
export class SqliteChanges {
	readonly #connection: SqliteConnection;
	readonly #intervalMs: number;
	#watchers: readonly Watcher[] = [];
	#timer: ReturnType<typeof setInterval> | undefined;
	/** SQLite's number for what this connection has seen: differs when another one has written. */
	#dataVersion = 0;
	/** The latest change that was told. */
	#told = 0;

	constructor(connection: SqliteConnection, intervalMs: number) {
		this.#connection = connection;
		this.#intervalMs = intervalMs;
	}

	/** Numbers a change of a session within the running transaction. */
	note(sessionId: string): void {
		this.#connection.run(
			`INSERT INTO session_state (session_id, change) VALUES (?, ?)
			ON CONFLICT (session_id) DO UPDATE SET change = excluded.change`,
			sessionId,
			this.next(),
		);
	}

	/** Notes the deletion of a session within the running transaction. */
	noteDeletion(sessionId: string): void {
		const change = this.next();
		this.#connection.run("INSERT INTO deletions (change, session_id) VALUES (?, ?)", change, sessionId);
		this.#connection.run("DELETE FROM deletions WHERE change <= ?", change - KEPT_DELETIONS);
	}

	/** The number of the next change, within the running transaction. */
	next(): number {
		const sql = "UPDATE sandbox_agent_store SET value = value + 1 WHERE name = 'change' RETURNING value";
		return Number(this.#connection.get<{ value: number }>(sql)?.value);
	}

	/** Listeners run when the write is over: one that throws is an error of its own, not of the write. */
	tell(change: StoreChange): void {
		for (const watcher of this.#watchers) {
			queueMicrotask(() => {
				if (this.#watchers.includes(watcher)) watcher.tell(change);
			});
		}
	}

	watch(listener: (change: StoreChange) => void): () => Promise<void> {
		if (this.#watchers.length === 0) this.#begin();
		const watcher = { tell: listener };
		this.#watchers = [...this.#watchers, watcher];
		return async () => {
			this.#watchers = this.#watchers.filter((other) => other !== watcher);
			if (this.#watchers.length === 0) this.end();
		};
	}

	end(): void {
		clearInterval(this.#timer);
		this.#timer = undefined;
		this.#watchers = [];
	}

	#begin(): void {
		this.#dataVersion = this.#readDataVersion();
		const sql = "SELECT value FROM sandbox_agent_store WHERE name = 'change'";
		this.#told = Number(this.#connection.get<{ value: number }>(sql)?.value);
		this.#timer = setInterval(() => this.#look(), this.#intervalMs);
		unref(this.#timer);
	}

	#look(): void {
		try {
			const dataVersion = this.#readDataVersion();
			if (dataVersion === this.#dataVersion) return;
			for (const { session_id, change } of this.#changesSince(this.#told)) {
				this.#told = Math.max(this.#told, Number(change));
				this.tell({ sessionId: session_id, kind: "unknown" });
			}
			this.#dataVersion = dataVersion;
		} catch {
			// A file that cannot be read for a moment is looked at again: what was not told stays to be told.
		}
	}

	#changesSince(change: number): { session_id: string; change: number }[] {
		return this.#connection.all(
			`SELECT session_id, change FROM session_state WHERE change > ?
			UNION ALL SELECT session_id, change FROM deletions WHERE change > ?`,
			change,
			change,
		);
	}

	#readDataVersion(): number {
		return Number(this.#connection.get<{ data_version: number }>("PRAGMA data_version")?.data_version);
	}
}
