import type { ContentBlock } from "@agentclientprotocol/sdk";
import type { DurableSessionDriver, SessionEvent, SessionInit } from "@sandbox-agent/core/session";
import type { RequestOptions } from "../http/request.ts";
import type { CapsuleOptions } from "./capsules.ts";
import type { PermissionPolicy } from "./permission-policy.ts";
import type { ReplayLimits } from "./replay.ts";
import type { ResumeOptions, ResumeReceipt } from "./resume/receipt.ts";
import type { Session } from "./session.ts";
import type { LeaseOptions } from "./session-leases.ts";
import type { PromptOverlap } from "./turn-gate.ts";

/** What a new session is made with. */
export interface SessionCreateRequest {
	/** @default a random UUID */
	id?: string | undefined;
	/** For example `claude`, `codex`, `mock`. */
	agent: string;
	/** Absolute path in the sandbox. @default that of the provider, else the directory of this program, else `/` */
	cwd?: string | undefined;
	/** Parameters of `session/new`; a `cwd` in it wins. */
	sessionInit?: Partial<SessionInit> | undefined;
	/** Applied after creation, in the order mode, model, thought level; the session is destroyed when one is refused. */
	model?: string | undefined;
	mode?: string | undefined;
	thoughtLevel?: string | undefined;
}

/** What a session is resumed, or else made, with. */
export type SessionResumeOrCreateRequest = SessionCreateRequest & { id: string };

/** How a method of the protocol is sent. */
export interface SessionSendOptions extends PromptOptions {
	/** Do not wait for the reply. @default false */
	notification?: boolean | undefined;
}

/** How a prompt is sent. */
export interface PromptOptions extends RequestOptions {
	/**
	 * Names the turn: a prompt with a key that the session knows is not sent again but gets the outcome of the first, also
	 * from another client of the same store. 1 to 256 characters.
	 * @default a random UUID
	 */
	idempotencyKey?: string | undefined;
	/** Ends the turn with `timeout` when the agent says nothing for so many milliseconds. @default no limit */
	idleTimeoutMs?: number | undefined;
	/** What happens while another prompt of the session runs. @default the client's option, else `queue` */
	overlap?: PromptOverlap | undefined;
}

/** How a session is brought back. */
export interface ResumeCallOptions extends RequestOptions {
	/** Ways that are good enough. @default those of the client */
	resume?: ResumeOptions | undefined;
	/** Take the session from another client that may still drive it: what that one writes from now on is refused. */
	force?: boolean | undefined;
}

/** How a session is observed. */
export interface ObserveOptions {
	/** Place of the last event that is known; 0 for the whole history. @default the newest event there is */
	after?: number | undefined;
	/** Ends the observation. */
	signal?: AbortSignal | undefined;
}

export type SessionEventListener = (event: SessionEvent) => void;

/** What is sent as a prompt: text, or content blocks of the protocol. */
export type PromptInput = string | readonly ContentBlock[];

/** What the sessions of a client need to know. */
export interface SessionsOptions {
	readonly driver: DurableSessionDriver;
	/** Whether the store can delete sessions: those written for earlier versions need not. */
	readonly canDelete: boolean;
	readonly replay: ReplayLimits;
	readonly resume: ResumeOptions;
	readonly onReceipt: ((receipt: ResumeReceipt, session: Session) => void) | undefined;
	readonly lease: LeaseOptions | false;
	readonly policy: PermissionPolicy | undefined;
	readonly capsule: CapsuleOptions | undefined;
	readonly overlap: PromptOverlap;
	/** How long a store that fails is tried again, in milliseconds. */
	readonly storePatienceMs: number;
	/** Written into new records. */
	readonly sandboxId: () => string | undefined;
	/** Working directory of sessions that name none. */
	readonly defaultCwd: () => string;
}

/** How a change of a session came out. */
export interface SessionChange<Response = unknown> {
	session: Session;
	/** What the agent answered. */
	response: Response;
}
