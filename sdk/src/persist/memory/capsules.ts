import type { CapsuleChunk, CapsuleManifest, CapsuleStore, CapsuleWrite } from "@sandbox-agent/core/session";
import { copyJson } from "../copy-json.ts";
import { compare } from "./compare.ts";
import type { StoredSession } from "./stored-session.ts";

/** A capsule as it is kept: its files, each with its chunks by offset. */
export interface StoredCapsule {
	manifest: CapsuleManifest;
	files: Map<string, Map<number, Uint8Array>>;
}

/** What capsules need of the store. */
export interface CapsuleHost {
	find(sessionId: string): StoredSession | undefined;
	/** The session, made when there is none. @throws lease_lost */
	claim(sessionId: string, fence: number | undefined): StoredSession;
}

/** Capsules in memory. */
export class MemoryCapsules implements CapsuleStore {
	readonly #host: CapsuleHost;

	constructor(host: CapsuleHost) {
		this.#host = host;
	}

	async manifest(sessionId: string): Promise<CapsuleManifest | undefined> {
		return copyJson(this.#host.find(sessionId)?.capsule?.manifest);
	}

	async write({ sessionId, manifest, chunks, fence }: CapsuleWrite): Promise<void> {
		const copies = chunks.map((chunk) => ({ ...chunk, data: chunk.data.slice() }));
		const copy = copyJson(manifest);
		const session = this.#host.claim(sessionId, fence);
		session.capsule ??= { manifest: copy, files: new Map() };
		session.capsule.manifest = copy;
		for (const { path, offset, data } of copies) {
			const file = (offset === 0 ? undefined : session.capsule.files.get(path)) ?? new Map<number, Uint8Array>();
			file.set(offset, data);
			session.capsule.files.set(path, file);
		}
	}

	async *chunks(sessionId: string): AsyncGenerator<CapsuleChunk> {
		const files = [...(this.#host.find(sessionId)?.capsule?.files ?? [])];
		for (const [path, file] of files.sort(([left], [right]) => compare(left, right))) {
			for (const [offset, data] of [...file].sort(([left], [right]) => left - right)) {
				yield { path, offset, data: data.slice() };
			}
		}
	}

	async delete(sessionId: string): Promise<void> {
		const session = this.#host.find(sessionId);
		if (session) session.capsule = undefined;
	}
}
