import { accessSync, chmodSync, constants, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { SandboxAgentError } from "@sandbox-agent/core/errors";
import { DirectoryLock } from "./directory-lock.ts";
import { ProcessGroupLedger } from "./process-group-ledger.ts";

/** Folder of the process group ledger in a state directory. */
export const GROUPS_FOLDER = "groups";

/** What became of the wish for a state directory. */
export type StateKind =
	/** The wished one. */
	| "chosen"
	/** A private folder of this run: the next server does not find it. */
	| "temporary"
	/** None: everything is kept in memory. */
	| "memory";

export interface StateDirectoryOptions {
	/** Absolute path; made, with its parents, when missing. */
	readonly path: string;
	/** Folder for a private one when `path` cannot be written. */
	readonly temporaryDirectory: string;
	/** Told when the state is kept elsewhere than wished, with the reason. */
	readonly onFallback: (kind: Exclude<StateKind, "chosen">, reason: string) => void;
}

/** Where one server keeps what must survive it. Private to its user, and used by one server at a time. */
export class StateDirectory {
	readonly kind: StateKind;
	/** `undefined`: memory only. */
	readonly path: string | undefined;
	readonly ledger: ProcessGroupLedger;
	readonly #lock: DirectoryLock | undefined;

	private constructor(kind: StateKind, path: string | undefined, lock: DirectoryLock | undefined) {
		this.kind = kind;
		this.path = path;
		this.#lock = lock;
		this.ledger = new ProcessGroupLedger(path === undefined ? undefined : join(path, GROUPS_FOLDER));
	}

	/**
	 * Opens the directory, or the next best place.
	 * @throws state_in_use when another server uses it.
	 */
	static async open(options: StateDirectoryOptions): Promise<StateDirectory> {
		const { path, temporaryDirectory, onFallback } = options;
		try {
			prepare(path);
			return new StateDirectory("chosen", path, await DirectoryLock.acquire(path));
		} catch (error) {
			if (SandboxAgentError.isInstance(error)) throw error;
			return StateDirectory.#openElsewhere(temporaryDirectory, onFallback, reasonOf(error));
		}
	}

	static #openElsewhere(
		parent: string,
		onFallback: StateDirectoryOptions["onFallback"],
		reason: string,
	): StateDirectory {
		let path: string;
		try {
			path = mkdtempSync(join(parent, "sandbox-agent-state-"));
		} catch (error) {
			onFallback("memory", `${reason}; ${reasonOf(error)}`);
			return new StateDirectory("memory", undefined, undefined);
		}
		onFallback("temporary", reason);
		return new StateDirectory("temporary", path, undefined);
	}

	/** Lets another server have the directory; a private one is removed. */
	close(): void {
		this.#lock?.release();
		if (this.kind === "temporary" && this.path !== undefined) rmSync(this.path, { recursive: true, force: true });
	}
}

function prepare(path: string): void {
	mkdirSync(path, { recursive: true, mode: 0o700 });
	// It may be older than this rule, or made under a generous umask.
	chmodSync(path, 0o700);
	accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
}

function reasonOf(error: unknown): string {
	return error instanceof Error ? error.message : String(error);
}
