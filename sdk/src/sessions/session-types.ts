import type { ContentBlock } from "@agentclientprotocol/sdk";
import type { ListPageRequest, SessionEvent, SessionInit, SessionPersistDriver } from "@sandbox-agent/core/session";
import type { RequestOptions } from "../http/request.ts";
import type { Session } from "./session.ts";

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
export interface SessionSendOptions extends RequestOptions {
	/** Do not wait for the reply. @default false */
	notification?: boolean | undefined;
}

/** Which sessions to list. */
export interface ListSessionsRequest extends ListPageRequest {
	/** Only sessions of this agent. */
	agent?: string | undefined;
	/** Leave out destroyed sessions. @default false */
	alive?: boolean | undefined;
}

export type SessionEventListener = (event: SessionEvent) => void;

/** What is sent as a prompt: text, or content blocks of the protocol. */
export type PromptInput = string | readonly ContentBlock[];

/** How the history of a session is told to an agent that does not know it. */
export interface ReplayOptions {
	readonly maxEvents: number;
	readonly maxChars: number;
}

/** What the sessions of a client need to know. */
export interface SessionsOptions {
	readonly driver: SessionPersistDriver;
	readonly replay: ReplayOptions;
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
