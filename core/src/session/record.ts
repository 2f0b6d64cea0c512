/** Free-form extension data of the Agent Client Protocol. */
type Meta = { [key: string]: unknown } | null;

/** One value of a select option. */
export type SessionConfigChoice = { value: string; name: string; description?: string | null; _meta?: Meta };

/** Several values under one heading. */
export type SessionConfigChoiceGroup = {
	group: string;
	name: string;
	options: SessionConfigChoice[];
	_meta?: Meta;
};

/**
 * Something a session lets its user choose: the model, the thought level, or whatever else the agent offers. The shape
 * of the Agent Client Protocol, version 1.
 */
export type SessionConfigOption = (
	| { type: "select"; currentValue: string; options: SessionConfigChoice[] | SessionConfigChoiceGroup[] }
	| { type: "boolean"; currentValue: boolean }
) & {
	id: string;
	name: string;
	description?: string | null;
	/** `model`, `mode`, `thought_level`, or a word of the agent's own. */
	category?: string | null;
	_meta?: Meta;
};

/** The modes of a session, as the agent announced them. */
export type SessionModeState = {
	currentModeId: string;
	availableModes: { id: string; name: string; description?: string | null; _meta?: Meta }[];
	_meta?: Meta;
};

/** What a session was made with, beside its agent: the parameters of `session/new`. */
export type SessionInit = {
	/** Absolute path in the sandbox. */
	cwd: string;
	/** MCP servers in the shape of the Agent Client Protocol. */
	mcpServers: { name: string; [member: string]: unknown }[];
	[member: string]: unknown;
};

/** Version of {@link SessionRecord} that this build writes. Records of a newer one are refused, not misread. */
export const SESSION_RECORD_VERSION = 1;

/** What is stored about a session. The client owns it, a driver keeps it. */
export interface SessionRecord {
	/** @default 1, also where it is absent */
	version?: number | undefined;
	/** Chosen by the caller, or a random UUID. Unique per store. */
	id: string;
	agent: string;
	/** The agent's own id of the session. It changes when the session is restored. */
	agentSessionId: string;
	/** The ACP connection the session was last bound to. */
	lastConnectionId: string;
	/** Epoch milliseconds. */
	createdAt: number;
	/** Epoch milliseconds; absent while the session is alive. */
	destroyedAt?: number | undefined;
	/** `<provider>/<id>` of the sandbox it runs in; absent for clients that only have an address. */
	sandboxId?: string | undefined;
	sessionInit?: SessionInit | undefined;
	/** Options with their current values, as last told by the agent. */
	configOptions?: SessionConfigOption[] | undefined;
	/** Modes with the current one, as last told by the agent; `null` when it has none. */
	modes?: SessionModeState | null | undefined;
	/** What the agent said it can do when the session was last bound. */
	agentCapabilities?: { readonly [member: string]: unknown } | undefined;
	/** What the agent said it is at that time: name and version of the program that speaks the protocol. */
	agentInfo?: { readonly name: string; readonly version: string } | undefined;
}

/** Who sent an envelope. */
export type SessionEventSender = "client" | "agent";

/** One JSON-RPC message of a session's history, as it travelled. */
export interface SessionEvent {
	/**
	 * UUID. The same message gets the same id however often it is received, so that storing it twice is storing it once.
	 */
	id: string;
	/** Place in the history of the session, from 1, without gaps unless a driver drops old events. */
	eventIndex: number;
	/** {@link SessionRecord.id}, not the agent's. */
	sessionId: string;
	/** Epoch milliseconds at which this side saw it. */
	createdAt: number;
	/** The ACP connection it travelled on. */
	connectionId: string;
	sender: SessionEventSender;
	/** The JSON-RPC 2.0 envelope, unchanged. */
	payload: SessionEventPayload;
	/** Where an agent's line stands in the log of its connection; absent for messages that have no place there. */
	log?: LogPosition | undefined;
}

/** A place in the log that the server keeps of an ACP connection. */
export interface LogPosition {
	/** Names the log; another log under the same connection has another one. */
	epoch: string;
	/** Id of the line, from 1. */
	id: number;
}

/** An event before the store has given it its place. */
export type NewSessionEvent = Omit<SessionEvent, "eventIndex">;

/** A JSON-RPC 2.0 request, notification or reply. */
export type SessionEventPayload = {
	jsonrpc?: string;
	id?: string | number | null;
	method?: string;
	params?: unknown;
	result?: unknown;
	error?: { code: number; message: string; data?: unknown };
	[member: string]: unknown;
};
