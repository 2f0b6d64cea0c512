import type { ResumeRung } from "sandbox-agent";
import type { Prompt } from "./prompts.ts";

/** What a backend is told by its first argument. */
export interface BackendOptions {
	readonly name: string;
	/** Where it reaches the server: a proxy of its own. */
	readonly url: string;
	readonly token: string;
	readonly store: StoreOptions;
	readonly leaseMs: number;
	/** Ways in which its sessions may be restored. */
	readonly allow: readonly ResumeRung[];
}

/** Where the sessions are kept. */
export type StoreOptions =
	| { readonly kind: "sqlite"; readonly filename: string }
	| { readonly kind: "postgres"; readonly connectionString: string; readonly schema: string };

/** What a backend asks; each is answered by a message with the same number. */
export type Question =
	/** Start the server when it does not run. */
	| { readonly what: "server" }
	/** The prompt to send next in a session; none when somebody else drives it now, or all is done. */
	| { readonly what: "prompt"; readonly sessionId: string };

/** How a prompt came out. */
export interface Ending {
	readonly sessionId: string;
	readonly key: string;
	/** State of the turn in the store. */
	readonly state: string;
	/** What the caller was told: `resolved`, or the code of the error. */
	readonly told: string;
}

/** From a backend. */
export type FromBackend =
	| { readonly type: "ready" }
	| { readonly type: "question"; readonly id: number; readonly question: Question }
	| { readonly type: "driving"; readonly sessionId: string }
	| { readonly type: "ended"; readonly ending: Ending }
	| { readonly type: "receipt"; readonly sessionId: string; readonly rung: ResumeRung }
	| { readonly type: "resumed" }
	/** Something failed that a call may fail with in such a run; for the log. */
	| { readonly type: "trouble"; readonly text: string };

/** To a backend. */
export type ToBackend =
	| { readonly type: "answer"; readonly id: number; readonly prompt?: Prompt | undefined }
	| { readonly type: "drive"; readonly sessionId: string; readonly force: boolean }
	/** Bring every session back, once. */
	| { readonly type: "resume"; readonly sessionIds: readonly string[] }
	| { readonly type: "stop" };
