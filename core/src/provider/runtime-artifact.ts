/**
 * The file that is put into a sandbox and run there. At least one of `path`, `url` and `bytes` says where its content
 * is; `version` and `sha256` are filled in from the content where they are missing.
 */
export interface RuntimeArtifact {
	/** Version of the runtime, for messages. */
	readonly version?: string | undefined;
	/** Hex digest of the content. Given: the content is checked against it before it is uploaded. */
	readonly sha256?: string | undefined;
	/** Absolute path on this machine. */
	readonly path?: string | undefined;
	/** `file:`, `http:` or `https:` address. */
	readonly url?: URL | string | undefined;
	/** The content, or a function that reads it. */
	readonly bytes?: Uint8Array | (() => Promise<Uint8Array>) | undefined;
}

/** An artifact, or a function that finds one; it is called at most once per start, and only when one is needed. */
export type RuntimeSource = RuntimeArtifact | (() => RuntimeArtifact | Promise<RuntimeArtifact>);

/** The runtime as a launch sees it: nothing is read before it is asked for, and everything at most once. */
export interface Runtime {
	/** @throws runtime_missing when there is no runtime at all. */
	artifact(): Promise<RuntimeArtifact>;
	/** Absolute path of the file when it lies on this machine's disk, else `undefined`. */
	localPath(): Promise<string | undefined>;
	/** Hex digest of the content. */
	sha256(): Promise<string>;
	/** The content. @throws runtime_missing when it cannot be read or does not match its digest. */
	bytes(): Promise<Uint8Array>;
}
