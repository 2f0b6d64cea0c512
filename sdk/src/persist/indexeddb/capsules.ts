import type { CapsuleChunk, CapsuleManifest, CapsuleStore, CapsuleWrite } from "@sandbox-agent/core/session";
import type { Database } from "./database.ts";
import { checkFence, readHead } from "./leases.ts";
import { readRows, resultOf, startingWith } from "./requests.ts";
import type { Rows } from "./schema.ts";

/** Chunks in memory at a time. */
const CHUNKS_AT_ONCE = 8;

/** Capsules beside the sessions they belong to. */
export class IndexedDbCapsules implements CapsuleStore {
	readonly #database: Database;

	constructor(database: Database) {
		this.#database = database;
	}

	manifest(sessionId: string): Promise<CapsuleManifest | undefined> {
		return this.#database.run("readonly", ["capsules"], async (transaction) => {
			const row: Rows["capsules"] | undefined = await resultOf(transaction.store("capsules").get(sessionId));
			return row?.manifest;
		});
	}

	async write({ sessionId, manifest, chunks, fence }: CapsuleWrite): Promise<void> {
		const capsule: Rows["capsules"] = structuredClone({ sessionId, manifest });
		// A view would be stored with all of the buffer it looks into.
		const rows = chunks.map(({ path, offset, data }): Rows["capsule_chunks"] => {
			return { sessionId, path, offset, data: data.slice() };
		});
		await this.#database.run("readwrite", ["heads", "capsules", "capsule_chunks"], async (transaction) => {
			checkFence(await readHead(transaction, sessionId), fence);
			transaction.store("capsules").put(capsule);
			const stored = transaction.store("capsule_chunks");
			for (const row of rows) {
				if (row.offset === 0) stored.delete(startingWith(sessionId, row.path));
				stored.put(row);
			}
		});
	}

	async *chunks(sessionId: string): AsyncGenerator<CapsuleChunk> {
		let range = startingWith(sessionId);
		for (;;) {
			const rows = await this.#database.run("readonly", ["capsule_chunks"], (transaction) =>
				readRows<Rows["capsule_chunks"]>(transaction.store("capsule_chunks"), { range, count: CHUNKS_AT_ONCE }),
			);
			for (const { sessionId: _, ...chunk } of rows) yield chunk;
			const last = rows.at(-1);
			if (!last || rows.length < CHUNKS_AT_ONCE) return;
			range = IDBKeyRange.bound([sessionId, last.path, last.offset], [sessionId, []], true, false);
		}
	}

	delete(sessionId: string): Promise<void> {
		return this.#database.run("readwrite", ["capsules", "capsule_chunks"], (transaction) => {
			transaction.store("capsules").delete(sessionId);
			transaction.store("capsule_chunks").delete(startingWith(sessionId));
		});
	}
}
