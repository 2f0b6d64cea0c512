import type { CapsuleChunk, CapsuleManifest, CapsuleStore, CapsuleWrite } from "@sandbox-agent/core/session";
import type { SqliteConnection } from "./connection.ts";

/** What capsules need of the store. */
export interface CapsuleHost {
	readonly connection: SqliteConnection;
	/** Refuses a write within the running transaction. @throws lease_lost */
	checkFence(sessionId: string, fence: number | undefined): void;
}

/** Capsules in the database, one row per chunk. */
export class SqliteCapsules implements CapsuleStore {
	readonly #host: CapsuleHost;

	constructor(host: CapsuleHost) {
		this.#host = host;
	}

	async manifest(sessionId: string): Promise<CapsuleManifest | undefined> {
		const { connection } = this.#host;
		return connection.attempt(`reading the capsule of session '${sessionId}'`, () => {
			const sql = "SELECT manifest_json FROM capsules WHERE session_id = ?";
			const row = connection.get<{ manifest_json: string }>(sql, sessionId);
			return row && (JSON.parse(row.manifest_json) as CapsuleManifest);
		});
	}

	async write({ sessionId, manifest, chunks, fence }: CapsuleWrite): Promise<void> {
		const { connection } = this.#host;
		const work = () => {
			this.#host.checkFence(sessionId, fence);
			connection.run(
				"INSERT OR REPLACE INTO capsules (session_id, manifest_json) VALUES (?, ?)",
				sessionId,
				JSON.stringify(manifest),
			);
			for (const { path, offset, data } of chunks) {
				if (offset === 0) {
					connection.run("DELETE FROM capsule_chunks WHERE session_id = ? AND path = ?", sessionId, path);
				}
				connection.run(
					"INSERT OR REPLACE INTO capsule_chunks (session_id, path, chunk_offset, data) VALUES (?, ?, ?, ?)",
					sessionId,
					path,
					offset,
					data,
				);
			}
		};
		connection.attempt(`writing the capsule of session '${sessionId}'`, () => connection.transaction(work));
	}

	async *chunks(sessionId: string): AsyncGenerator<CapsuleChunk> {
		const { connection } = this.#host;
		let last: Pick<CapsuleChunk, "path" | "offset"> = { path: "", offset: -1 };
		for (;;) {
			const { path, offset } = last;
			// One at a time: chunks are large, and no statement stays open while the reader is busy.
			const row = connection.attempt(`reading the capsule of session '${sessionId}'`, () =>
				connection.get<{ path: string; chunk_offset: number; data: Uint8Array | null }>(
					`SELECT path, chunk_offset, data FROM capsule_chunks
					WHERE session_id = ? AND (path, chunk_offset) > (?, ?) ORDER BY path, chunk_offset LIMIT 1`,
					sessionId,
					path,
					offset,
				),
			);
			if (!row) return;
			last = { path: row.path, offset: Number(row.chunk_offset) };
			// Libraries give other classes, or nothing for no bytes.
			yield { ...last, data: new Uint8Array(row.data ?? []) };
		}
	}

	async delete(sessionId: string): Promise<void> {
		const { connection } = this.#host;
		connection.attempt(`deleting the capsule of session '${sessionId}'`, () =>
			connection.transaction(() => removeCapsule(connection, sessionId)),
		);
	}
}

/** Removes a capsule within the running transaction. */
export function removeCapsule(connection: SqliteConnection, sessionId: string): void {
	connection.run("DELETE FROM capsules WHERE session_id = ?", sessionId);
	connection.run("DELETE FROM capsule_chunks WHERE session_id = ?", sessionId);
}
