import { ROUTES } from "@sandbox-agent/core/api";
import { SandboxAgentError } from "@sandbox-agent/core/errors";
import type {
	CapsuleChunk,
	CapsuleFile,
	CapsuleManifest,
	CapsuleStore,
	SessionRecord,
} from "@sandbox-agent/core/session";
import type { HttpClient } from "../http/client.ts";
import { fromBase64, toBase64 } from "./base64.ts";
import { CapsuleCipher } from "./capsule-cipher.ts";

/** What the files of one session may have together unless the caller says otherwise: 64 MiB. */
const DEFAULT_MAX_BYTES = 64 * 1024 * 1024;

/** How long a restore that failed may take to be taken back, in milliseconds. The server does it by itself, later. */
const ABORT_TIMEOUT_MS = 5_000;

/** After so many sessions it is forgotten of which ones the key is known to fit. */
const MAX_PROVEN = 10_000;

/** How capsules are kept. */
export interface CapsuleOptions {
	/** 32 bytes with which everything that was in files is encrypted before it reaches the store. @default not encrypted */
	readonly key?: Uint8Array | undefined;
	/** The most that the files of one session may have together, in bytes. @default 64 MiB */
	readonly maxBytes?: number | undefined;
}

/** What {@link SessionCapsules} works with. */
interface SessionCapsulesOptions extends CapsuleOptions {
	readonly http: HttpClient;
	readonly store: CapsuleStore;
}

/** Which session a capsule has to be of. */
interface CapsuleTarget {
	readonly sessionId: string;
	readonly agent: string;
	readonly agentSessionId: string;
	readonly cwd: string;
}

/** What the server has told in one or more answers. */
interface Changes {
	adapterVersion: string;
	files: CapsuleFile[];
	chunks: readonly CapsuleChunk[];
}

/**
 * Carries the memory of agents between sandboxes: takes what an agent has written about a session into the client's
 * store, and puts it back for an agent that does not know the session.
 *
 * For one session, one call at a time; writers in other processes are kept out by the fence.
 */
export class SessionCapsules {
	readonly #http: HttpClient;
	readonly #store: CapsuleStore;
	readonly #cipher: CapsuleCipher | undefined;
	readonly #maxBytes: number;
	/** Sessions whose chunks are known to be encrypted with our key. */
	readonly #proven = new Set<string>();

	/** @throws invalid_request for a key that has not 32 bytes */
	constructor({ http, store, key, maxBytes = DEFAULT_MAX_BYTES }: SessionCapsulesOptions) {
		this.#http = http;
		this.#store = store;
		this.#cipher = key === undefined ? undefined : new CapsuleCipher(key);
		this.#maxBytes = maxBytes;
	}

	/**
	 * Adds to the capsule of a session what the agent has written since the last capture. Up to `maxBytes` are in memory
	 * until they are written at once.
	 *
	 * @returns nothing when there is nothing to capture: the agent has no capsule, the server knows of none, the session has
	 * no files yet or no longer. A capsule that is there stays.
	 * @throws capsule_too_large, lease_lost; what was captured before stays.
	 */
	async capture(request: {
		record: SessionRecord;
		/** Of the caller's lease. */
		fence?: number | undefined;
		signal?: AbortSignal | undefined;
	}): Promise<CapsuleManifest | undefined> {
		const { record, fence, signal } = request;
		const cwd = record.sessionInit?.cwd;
		if (cwd === undefined) return undefined;
		const { id: sessionId, agent, agentSessionId } = record;
		const stored = await this.#store.manifest(sessionId);
		const target = { sessionId, agent, agentSessionId, cwd };
		const before = stored && (await this.#canGrow(stored, target)) ? stored : undefined;
		const changes = await this.#changes(target, before?.files ?? [], signal);
		if (!changes || changes.files.length === 0) return undefined;
		const { adapterVersion, files } = changes;
		if (before && changes.chunks.length === 0 && isSame(before, changes)) return before;
		const manifest: CapsuleManifest = {
			version: 1,
			agent,
			agentSessionId,
			adapterVersion,
			cwd,
			files,
			capturedAt: Date.now(),
			encrypted: this.#cipher !== undefined,
		};
		const chunks = [...emptied(stored, files), ...(await this.#seal(sessionId, changes.chunks))];
		signal?.throwIfAborted();
		await this.#store.write({ sessionId, manifest, chunks, fence });
		this.#prove(sessionId);
		return manifest;
	}

	/**
	 * Puts the capsule of a session back where the server runs, for its agent to resume or load it. All of it or nothing; a
	 * few chunks are in memory at a time.
	 *
	 * @returns nothing when the store has no capsule of this session
	 * @throws capsule_mismatch for another agent, session, working directory or version of the adapter; capsule_invalid for
	 * a capsule that is not whole or cannot be decrypted; conflict where the agent has other files of the session;
	 * capability_unsupported where the agent or the server has no capsules
	 */
	async restore(request: CapsuleTarget & { signal?: AbortSignal | undefined }): Promise<CapsuleManifest | undefined> {
		const { sessionId, agent, agentSessionId, cwd, signal } = request;
		const manifest = await this.#store.manifest(sessionId);
		if (!manifest) return undefined;
		assertTarget(manifest, request);
		this.#assertReadable(manifest);
		const { adapterVersion, files } = manifest;
		const body = { sessionId: agentSessionId, cwd, adapterVersion, files };
		const { restoreId } = await this.#http
			.call(ROUTES.beginCapsuleRestore, { params: { agent }, body, signal })
			.catch((error: unknown) => {
				if (!isUnknownRoute(error)) throw error;
				throw new SandboxAgentError("capability_unsupported", "this server knows no capsules", { cause: error });
			});
		const params = { agent, restore_id: restoreId };
		try {
			for await (const { path, offset, data } of this.#plainChunks(sessionId, manifest)) {
				const chunk = { path, offset, data: toBase64(data) };
				await this.#http.call(ROUTES.putCapsuleChunk, { params, body: chunk, signal });
			}
			await this.#http.call(ROUTES.commitCapsuleRestore, { params, signal });
		} catch (error) {
			const timeoutMs = ABORT_TIMEOUT_MS;
			// Whether it succeeds or not: the reason why the restore failed is what the caller has to know.
			await this.#http.call(ROUTES.abortCapsuleRestore, { params, timeoutMs }).catch(() => undefined);
			throw error;
		}
		return manifest;
	}

	/** All changes since the files the caller has. Nothing when the agent has no capsules. */
	async #changes(
		{ agent, agentSessionId, cwd }: CapsuleTarget,
		have: readonly CapsuleFile[],
		signal: AbortSignal | undefined,
	): Promise<Changes | undefined> {
		const collected = new CollectedChunks(have, this.#maxBytes);
		let files = [...have];
		for (;;) {
			const body = { sessionId: agentSessionId, cwd, have: files, maxBytes: this.#maxBytes };
			const page = await this.#http
				.call(ROUTES.readCapsuleChanges, { params: { agent }, body, signal })
				.catch((error: unknown) => {
					if (isUnknownRoute(error) || SandboxAgentError.isInstance(error, "capability_unsupported")) return undefined;
					throw error;
				});
			if (!page) return undefined;
			const before = collected.bytes;
			for (const chunk of page.chunks) collected.add(chunk);
			({ files } = page);
			if (!page.more) {
				collected.assertWhole(files);
				return { adapterVersion: page.adapterVersion, files, chunks: collected.chunks };
			}
			if (collected.bytes === before) throw invalid("the server promises more, and sends nothing");
		}
	}

	/** Whether chunks of ours can be added to a capsule. Else it is captured anew. */
	async #canGrow(manifest: CapsuleManifest, target: CapsuleTarget): Promise<boolean> {
		if (manifest.version !== 1 || mismatch(manifest, target) !== undefined) return false;
		if (manifest.encrypted !== (this.#cipher !== undefined)) return false;
		if (!this.#cipher || this.#proven.has(target.sessionId)) return true;
		// Chunks of two keys in one capsule could be read with neither.
		const paths = new Set(manifest.files.map(({ path }) => path));
		for await (const { path, offset, data } of this.#store.chunks(target.sessionId)) {
			if (!paths.has(path)) continue;
			const plain = await this.#cipher.open(data, { sessionId: target.sessionId, path, offset });
			if (!plain) return false;
			break;
		}
		this.#prove(target.sessionId);
		return true;
	}

	#prove(sessionId: string): void {
		if (this.#proven.size >= MAX_PROVEN) this.#proven.clear();
		this.#proven.add(sessionId);
	}

	async #seal(sessionId: string, chunks: readonly CapsuleChunk[]): Promise<readonly CapsuleChunk[]> {
		if (!this.#cipher) return chunks;
		const sealed: CapsuleChunk[] = [];
		for (const { path, offset, data } of chunks) {
			sealed.push({ path, offset, data: await this.#cipher.seal(data, { sessionId, path, offset }) });
		}
		return sealed;
	}

	#assertReadable({ version, encrypted }: CapsuleManifest): void {
		if (version !== 1) throw invalid(`the capsule is of version ${version}, which this package does not know`);
		if (encrypted && !this.#cipher) throw invalid("the capsule is encrypted", "give its key as capsule.key");
		if (!encrypted && this.#cipher) {
			// Who can write to the store could else put anything in the place of what was encrypted.
			throw invalid("the capsule is not encrypted", "leave capsule.key out to restore it nevertheless");
		}
	}

	/** The chunks of a capsule as they were in files. Whether they make up the files is what the server looks at. */
	async *#plainChunks(sessionId: string, manifest: CapsuleManifest): AsyncGenerator<CapsuleChunk> {
		const paths = new Set(manifest.files.map(({ path }) => path));
		for await (const { path, offset, data } of this.#store.chunks(sessionId)) {
			// Of a file that the agent has removed since.
			if (!paths.has(path)) continue;
			const plain = this.#cipher ? await this.#cipher.open(data, { sessionId, path, offset }) : data;
			if (!plain)
				throw invalid(`${path} cannot be decrypted at ${offset}`, "capsule.key is another one, or it was changed");
			if (plain.length > 0) yield { path, offset, data: plain };
		}
	}
}

/** The chunks of several answers, which have to fit together: what a sandbox sends may be anything. */
class CollectedChunks {
	#chunks: CapsuleChunk[] = [];
	bytes = 0;
	readonly #ends: Map<string, number>;
	readonly #maxBytes: number;

	constructor(have: readonly CapsuleFile[], maxBytes: number) {
		this.#ends = new Map(have.map(({ path, size }) => [path, size]));
		this.#maxBytes = maxBytes;
	}

	get chunks(): readonly CapsuleChunk[] {
		return this.#chunks;
	}

	add({ path, offset, data: text }: { path: string; offset: number; data: string }): void {
		const data = fromBase64(text);
		if (!data) throw invalid(`the server sent no base64 of ${path}`);
		// It was rewritten since an earlier answer.
		if (offset === 0) this.#chunks = this.#chunks.filter((chunk) => chunk.path !== path);
		else if (this.#ends.get(path) !== offset)
			throw invalid(`the server left something of ${path} out before ${offset}`);
		this.#ends.set(path, offset + data.length);
		this.bytes += data.length;
		if (this.bytes > this.#maxBytes) {
			throw new SandboxAgentError("capsule_too_large", `the session has more than ${this.#maxBytes} bytes`);
		}
		this.#chunks.push({ path, offset, data });
	}

	/** Checks that the chunks are what the files are said to be. */
	assertWhole(files: readonly CapsuleFile[]): void {
		for (const { path, size } of files) {
			if (this.#ends.get(path) !== size) throw invalid(`the server did not send the ${size} bytes of ${path}`);
		}
	}
}

/** Chunks that make a store let go of files which are no longer part of a capsule. */
function emptied(stored: CapsuleManifest | undefined, files: readonly CapsuleFile[]): CapsuleChunk[] {
	const kept = new Set(files.map(({ path }) => path));
	const gone = stored?.files.filter(({ path }) => !kept.has(path)) ?? [];
	return gone.map(({ path }) => ({ path, offset: 0, data: new Uint8Array() }));
}

function isSame(manifest: CapsuleManifest, { adapterVersion, files }: Changes): boolean {
	if (manifest.adapterVersion !== adapterVersion || manifest.files.length !== files.length) return false;
	const before = new Map(manifest.files.map((file) => [file.path, file]));
	return files.every(({ path, tailHash, size }) => {
		const file = before.get(path);
		return file?.size === size && file.tailHash === tailHash;
	});
}

/** What a capsule has that the session has not; nothing when they belong together. */
function mismatch(manifest: CapsuleManifest, target: CapsuleTarget): string | undefined {
	for (const member of ["agent", "agentSessionId", "cwd"] as const) {
		if (manifest[member] !== target[member]) {
			return `the capsule has ${member} ${JSON.stringify(manifest[member])}, the session ${JSON.stringify(target[member])}`;
		}
	}
	return undefined;
}

function assertTarget(manifest: CapsuleManifest, target: CapsuleTarget): void {
	const detail = mismatch(manifest, target);
	if (detail !== undefined) throw new SandboxAgentError("capsule_mismatch", detail);
}

/** Whether a server of an earlier version was asked. */
function isUnknownRoute(error: unknown): boolean {
	if (!SandboxAgentError.isInstance(error) || error.status !== 404) return false;
	return error.code === "invalid_request" || error.code === "not_found";
}

function invalid(detail: string, hint?: string): SandboxAgentError<"capsule_invalid"> {
	return new SandboxAgentError("capsule_invalid", detail, { hint });
}
