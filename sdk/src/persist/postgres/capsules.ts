import type { CapsuleChunk, CapsuleManifest, CapsuleStore, CapsuleWrite } from "@sandbox-agent/core/session";
import { leaseLost } from "../lease-lost.ts";
import type { Database } from "./database.ts";

/** Chunks that are read at a time. */
const CHUNKS_PER_READ = 4;

/** Capsules as rows of their chunks. */
export class PostgresCapsules implements CapsuleStore {
	readonly #database: Database;

	constructor(database: Database) {
		this.#database = database;
	}

	async manifest(sessionId: string): Promise<CapsuleManifest | undefined> {
		const [row] = await this.#database.query(
			`SELECT manifest_json FROM ${this.#database.names.capsules} WHERE session_id = $1`,
			[sessionId],
		);
		// Written by this class.
		return row?.manifest_json == null ? undefined : (JSON.parse(row.manifest_json) as CapsuleManifest);
	}

	async write({ sessionId, manifest, chunks: added, fence }: CapsuleWrite): Promise<void> {
		const { lock, capsules, chunks } = this.#database.names;
		const manifestJson = JSON.stringify(manifest);
		const copies = added.map(({ path, offset, data }) => ({ path, offset, data: Buffer.from(data) }));
		await this.#database.transaction(async (query) => {
			const [locked] = await query(`SELECT ${lock}($1, $2) AS held`, [sessionId, fence ?? null]);
			if (locked?.held !== "t") throw leaseLost(sessionId);
			await query(
				`INSERT INTO ${capsules} (session_id, manifest_json) VALUES ($1, $2)
				ON CONFLICT (session_id) DO UPDATE SET manifest_json = excluded.manifest_json`,
				[sessionId, manifestJson],
			);
			for (const { path, offset, data } of copies) {
				if (offset === 0) await query(`DELETE FROM ${chunks} WHERE session_id = $1 AND path = $2`, [sessionId, path]);
				await query(
					`INSERT INTO ${chunks} (session_id, path, byte_offset, data) VALUES ($1, $2, $3, $4)
					ON CONFLICT (session_id, path, byte_offset) DO UPDATE SET data = excluded.data`,
					[sessionId, path, offset, data],
				);
			}
		});
	}

	async *chunks(sessionId: string): AsyncIterable<CapsuleChunk> {
		let path = "";
		let offset = -1;
		for (;;) {
			const rows = await this.#database.query(
				`SELECT path, byte_offset, encode(data, 'base64') AS data FROM ${this.#database.names.chunks}
				WHERE session_id = $1 AND (path, byte_offset) > ($2, $3) ORDER BY path, byte_offset LIMIT ${CHUNKS_PER_READ}`,
				[sessionId, path, offset],
			);
			for (const row of rows) {
				path = row.path ?? "";
				offset = Number(row.byte_offset);
				yield { path, offset, data: new Uint8Array(Buffer.from(row.data ?? "", "base64")) };
			}
			if (rows.length < CHUNKS_PER_READ) return;
		}
	}

	async delete(sessionId: string): Promise<void> {
		const { heads, capsules, chunks } = this.#database.names;
		await this.#database.transaction(async (query) => {
			// Behind the writer that may be at it.
			await query(`SELECT FROM ${heads} WHERE session_id = $1 FOR UPDATE`, [sessionId]);
			await query(`DELETE FROM ${chunks} WHERE session_id = $1`, [sessionId]);
			await query(`DELETE FROM ${capsules} WHERE session_id = $1`, [sessionId]);
		});
	}
}
