/** One file of an agent in a capsule. */
export interface CapsuleFile {
	/** Relative to the agent's own root, with `/`. */
	path: string;
	/** Bytes captured so far. */
	size: number;
	/** SHA-256, in hexadecimal digits, of the last 4 KiB before `size`: tells whether the file only grew. */
	tailHash: string;
}

/** What a capsule holds: the agent's own memory of one session, without credentials and without the workspace. */
export interface CapsuleManifest {
	/** Of this description. */
	version: 1;
	agent: string;
	/** The agent's own id of the session. */
	agentSessionId: string;
	/** What the files were written by: they are put back only for the same. */
	adapterVersion: string;
	/** Working directory of the session: agents find their sessions by it. */
	cwd: string;
	files: CapsuleFile[];
	/** Epoch milliseconds. */
	capturedAt: number;
	/** Whether the chunks are encrypted. */
	encrypted: boolean;
}

/** A piece of a file. */
export interface CapsuleChunk {
	path: string;
	/** Place of its first byte in the file. */
	offset: number;
	/** As captured, or encrypted. */
	data: Uint8Array;
}

/** What a capture adds. */
export interface CapsuleWrite {
	sessionId: string;
	/** Replaces the one before. */
	manifest: CapsuleManifest;
	/** Added to those that are kept. A chunk at offset 0 replaces everything of its file. */
	chunks: readonly CapsuleChunk[];
	/** As in a write to the session. */
	fence?: number | undefined;
}

/** Where capsules are kept. A session has one at most; it goes with its session. */
export interface CapsuleStore {
	manifest(sessionId: string): Promise<CapsuleManifest | undefined>;
	/** All of it or nothing. @throws lease_lost */
	write(write: CapsuleWrite): Promise<void>;
	/** The chunks by path, then offset, a few in memory at a time. */
	chunks(sessionId: string): AsyncIterable<CapsuleChunk>;
	/** Unknown sessions are fine. */
	delete(sessionId: string): Promise<void>;
}
