import { open } from "node:fs/promises";
import { join } from "node:path";
import type { CapsuleChunkBody, CapsuleRestoreRequest } from "@sandbox-agent/core/api";
import { SandboxAgentError } from "@sandbox-agent/core/errors";
import type { CapsuleFile } from "@sandbox-agent/core/session";
import type { CapsulePlace } from "./capsule-place.ts";
import { hashTail, readTail, writeFully } from "./file-bytes.ts";
import { filePatterns, matchesPattern } from "./file-pattern.ts";
import type { ProgramExchange } from "./program-exchange.ts";
import { Staging } from "./staging.ts";
import { checkTarget, placeFiles } from "./target-files.ts";

/** A file of a restore. */
interface StagedFile extends CapsuleFile {
	/** Absolute. Made by us: nothing of the capsule becomes part of it. */
	readonly staged: string;
	/** Whether the agent finds the session by it. */
	readonly isPrimary: boolean;
	/** Bytes that have come. */
	written: number;
}

/**
 * The files of one session on their way back to an agent. They are collected where the agent does not look, checked, and
 * put in place at once. The methods of one restore must not run at the same time.
 */
export class CapsuleRestore {
	readonly #staging: Staging;
	readonly #exchange: CapsulePlace["exchange"];
	readonly #session: Pick<CapsuleRestoreRequest, "sessionId" | "cwd">;
	readonly #files: ReadonlyMap<string, StagedFile>;

	/**
	 * @param maxBytes the most that the files may have together
	 * @throws capsule_mismatch, capsule_invalid, capsule_too_large, conflict
	 */
	static async begin(place: CapsulePlace, request: CapsuleRestoreRequest, maxBytes: number): Promise<CapsuleRestore> {
		if (request.adapterVersion !== place.adapterVersion) {
			const detail = `the capsule was written by ${request.adapterVersion}, the agent here is ${place.adapterVersion}`;
			throw new SandboxAgentError("capsule_mismatch", detail, { hint: "install the same version of the agent" });
		}
		const primaries = checkFiles(place, request, maxBytes);
		const staging = await Staging.open(place.root);
		try {
			for (const { path, size } of request.files) await checkTarget(staging.root, path, size);
			return new CapsuleRestore(staging, place, request, primaries);
		} catch (error) {
			await staging.remove();
			throw error;
		}
	}

	private constructor(
		staging: Staging,
		place: CapsulePlace,
		request: CapsuleRestoreRequest,
		primaries: ReadonlySet<string>,
	) {
		this.#staging = staging;
		this.#exchange = place.exchange;
		this.#session = request;
		this.#files = new Map(
			request.files.map((file, index) => {
				const staged = join(staging.path, String(index));
				return [file.path, { ...file, staged, isPrimary: primaries.has(file.path), written: 0 }];
			}),
		);
	}

	/** @throws capsule_invalid for a piece that leaves a hole, goes beyond its file, or belongs to none */
	async put({ path, offset, data }: CapsuleChunkBody): Promise<void> {
		const file = this.#files.get(path);
		if (!file) throw invalid(`the capsule does not name the file ${JSON.stringify(path)}`);
		const bytes = Buffer.from(data, "base64");
		const end = offset + bytes.byteLength;
		if (offset > file.written) throw invalid(`${path} lacks the bytes from ${file.written} to ${offset}`);
		if (end > file.size) throw invalid(`${path} has ${file.size} bytes, its chunks have ${end}`);
		const handle = await open(file.staged, file.written === 0 ? "w" : "r+", 0o600);
		try {
			await writeFully(handle, bytes, offset);
		} finally {
			await handle.close();
		}
		file.written = Math.max(file.written, end);
	}

	/**
	 * Puts everything in place. The restore has ended, whatever comes of it.
	 *
	 * @param signal ends the agent's program, where it is what puts them in place
	 * @throws capsule_invalid for files that are not whole, conflict
	 */
	async commit(signal: AbortSignal): Promise<void> {
		try {
			const files = [...this.#files.values()];
			for (const file of files) await finish(file);
			await (this.#exchange ? this.#import(this.#exchange, files, signal) : this.#place(files));
		} finally {
			await this.#staging.remove();
		}
	}

	#place(files: readonly StagedFile[]): Promise<void> {
		// What makes the session known comes last: a server that is killed in between leaves nothing an agent looks at.
		const ordered = [...files.filter(({ isPrimary }) => !isPrimary), ...files.filter(({ isPrimary }) => isPrimary)];
		return placeFiles(this.#staging.root, ordered);
	}

	async #import(exchange: ProgramExchange, files: readonly StagedFile[], signal: AbortSignal): Promise<void> {
		const { sessionId, cwd } = this.#session;
		for (const { staged } of files) await exchange.import({ sessionId, cwd, file: staged, signal });
	}

	/** Leaves nothing. */
	abort(): Promise<void> {
		return this.#staging.remove();
	}
}

/** What can be said about a capsule without its chunks. Returns the files by which the agent finds the session. */
function checkFiles(place: CapsulePlace, request: CapsuleRestoreRequest, maxBytes: number): Set<string> {
	const [primary, ...others] = filePatterns(place.files, request.sessionId);
	const primaries = new Set<string>();
	const seen = new Set<string>();
	let total = 0;
	for (const { path, size } of request.files) {
		const isPrimary = primary !== undefined && matchesPattern(primary, path);
		if (!isPrimary && !others.some((pattern) => matchesPattern(pattern, path))) {
			throw invalid(`${JSON.stringify(path)} is not a file of session ${request.sessionId}`);
		}
		if (seen.has(path)) throw invalid(`${path} is named twice`);
		if (isPrimary) primaries.add(path);
		seen.add(path);
		total += size;
	}
	if (primaries.size === 0) throw invalid("the file by which the agent finds the session is missing");
	if (total > maxBytes) {
		const detail = `the files of the session have ${total} bytes, more than ${maxBytes}`;
		throw new SandboxAgentError("capsule_too_large", detail);
	}
	return primaries;
}

/** Checks a file and writes it out: it may be visible only when it is whole, also after a loss of power. */
async function finish(file: StagedFile): Promise<void> {
	if (file.written !== file.size) throw invalid(`${file.path} has ${file.size} bytes, only ${file.written} have come`);
	const handle = await open(file.staged, file.size === 0 ? "w" : "r+", 0o600);
	try {
		const tailHash = hashTail(await readTail(handle, file.size));
		if (tailHash !== file.tailHash) throw invalid(`the end of ${file.path} is not what it was`);
		await handle.datasync();
	} finally {
		await handle.close();
	}
}

function invalid(detail: string): SandboxAgentError<"capsule_invalid"> {
	return new SandboxAgentError("capsule_invalid", detail);
}
