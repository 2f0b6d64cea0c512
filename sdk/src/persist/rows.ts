import { SandboxAgentError } from "@sandbox-agent/core/errors";
import type {
	NewSessionEvent,
	SessionEvent,
	SessionEventPayload,
	SessionRecord,
	TurnRecord,
} from "@sandbox-agent/core/session";
import { checkRecordVersion } from "./record-version.ts";

/** What a database has in a column for whole numbers: drivers of large ones hand out text, or `bigint`. */
export type DatabaseInteger = number | bigint | string;

/** A session as the relational stores keep it. JSON is text: it can hold NUL and lone surrogates, as escapes. */
export interface SessionRow {
	id: string;
	version: DatabaseInteger;
	agent: string;
	agent_session_id: string;
	last_connection_id: string;
	created_at: DatabaseInteger;
	destroyed_at: DatabaseInteger | null;
	sandbox_id: string | null;
	session_init_json: string | null;
	config_options_json: string | null;
	/** The text `null` where the session has no modes, no value where nobody knows. */
	modes_json: string | null;
	/** Members without a column of their own. */
	extra_json: string | null;
}

/** An event as the relational stores keep it. */
export interface EventRow {
	session_id: string;
	event_index: DatabaseInteger;
	id: string;
	created_at: DatabaseInteger;
	connection_id: string;
	sender: string;
	payload_json: string;
	log_epoch: string | null;
	log_id: DatabaseInteger | null;
}

/** A turn as the relational stores keep it: what lists need, and all of it. */
export interface TurnRow {
	session_id: string;
	id: string;
	state: string;
	created_at: DatabaseInteger;
	turn_json: string;
}

/** The columns of each table, in the order of the interfaces above. */
export const SESSION_COLUMNS = [
	"id",
	"version",
	"agent",
	"agent_session_id",
	"last_connection_id",
	"created_at",
	"destroyed_at",
	"sandbox_id",
	"session_init_json",
	"config_options_json",
	"modes_json",
	"extra_json",
] as const satisfies readonly (keyof SessionRow)[];

export const EVENT_COLUMNS = [
	"session_id",
	"event_index",
	"id",
	"created_at",
	"connection_id",
	"sender",
	"payload_json",
	"log_epoch",
	"log_id",
] as const satisfies readonly (keyof EventRow)[];

export const TURN_COLUMNS = [
	"session_id",
	"id",
	"state",
	"created_at",
	"turn_json",
] as const satisfies readonly (keyof TurnRow)[];

export function sessionToRow(record: SessionRecord): SessionRow {
	const {
		id,
		version,
		agent,
		agentSessionId,
		lastConnectionId,
		createdAt,
		destroyedAt,
		sandboxId,
		sessionInit,
		configOptions,
		modes,
		...extra
	} = record;
	return {
		id,
		version: version ?? 1,
		agent,
		agent_session_id: agentSessionId,
		last_connection_id: lastConnectionId,
		created_at: createdAt,
		destroyed_at: destroyedAt ?? null,
		sandbox_id: sandboxId ?? null,
		session_init_json: toJson(sessionInit),
		config_options_json: toJson(configOptions),
		modes_json: toJson(modes),
		// A version that was spelled out comes back spelled out.
		extra_json: extraJson(version === undefined ? extra : { ...extra, version }),
	};
}

/** @throws record_unsupported, store_failed for a row that nobody can read */
export function sessionFromRow(row: SessionRow): SessionRecord {
	checkRecordVersion(row.id, toNumber(row.version, "version"));
	const record: SessionRecord = {
		id: row.id,
		agent: row.agent,
		agentSessionId: row.agent_session_id,
		lastConnectionId: row.last_connection_id,
		createdAt: toNumber(row.created_at, "created_at"),
	};
	if (row.destroyed_at !== null) record.destroyedAt = toNumber(row.destroyed_at, "destroyed_at");
	if (row.sandbox_id !== null) record.sandboxId = row.sandbox_id;
	if (row.session_init_json !== null) record.sessionInit = parse(row.session_init_json, "session_init_json");
	if (row.config_options_json !== null) record.configOptions = parse(row.config_options_json, "config_options_json");
	if (row.modes_json !== null) record.modes = parse(row.modes_json, "modes_json");
	if (row.extra_json !== null) Object.assign(record, parse<object>(row.extra_json, "extra_json"));
	return record;
}

export function eventToRow(sessionId: string, event: NewSessionEvent, eventIndex: number): EventRow {
	return {
		session_id: sessionId,
		event_index: eventIndex,
		id: event.id,
		created_at: event.createdAt,
		connection_id: event.connectionId,
		sender: event.sender,
		payload_json: JSON.stringify(event.payload),
		log_epoch: event.log?.epoch ?? null,
		log_id: event.log?.id ?? null,
	};
}

/** A payload that nobody can read does not take the rest of the history along: it says so in its place. */
export function eventFromRow(row: EventRow): SessionEvent {
	return {
		id: row.id,
		eventIndex: toNumber(row.event_index, "event_index"),
		sessionId: row.session_id,
		createdAt: toNumber(row.created_at, "created_at"),
		connectionId: row.connection_id,
		sender: row.sender === "client" ? "client" : "agent",
		payload: payloadFromJson(row.payload_json),
		...(row.log_epoch !== null && row.log_id !== null
			? { log: { epoch: row.log_epoch, id: toNumber(row.log_id, "log_id") } }
			: {}),
	};
}

export function turnToRow(sessionId: string, turn: TurnRecord): TurnRow {
	return {
		session_id: sessionId,
		id: turn.id,
		state: turn.state,
		created_at: turn.createdAt,
		turn_json: JSON.stringify(turn),
	};
}

/** @throws store_failed for a row that nobody can read */
export function turnFromRow(row: Pick<TurnRow, "turn_json">): TurnRecord {
	return parse(row.turn_json, "turn_json");
}

/** @throws store_failed for what is no number */
export function toNumber(value: DatabaseInteger, column: string): number {
	const number = Number(value);
	if (Number.isFinite(number)) return number;
	throw new SandboxAgentError("store_failed", `the column ${column} has no number`);
}

function payloadFromJson(json: string): SessionEventPayload {
	let reason: string;
	try {
		const payload: unknown = JSON.parse(json);
		if (typeof payload === "object" && payload !== null && !Array.isArray(payload))
			return payload as SessionEventPayload;
		reason = "the stored payload is no object";
	} catch {
		// The parser's own words quote what it read, which may be a secret.
		reason = "the stored payload is no JSON";
	}
	return { jsonrpc: "2.0", method: "_sandboxagent/unreadable", params: { reason } };
}

function toJson(value: unknown): string | null {
	return value === undefined ? null : JSON.stringify(value);
}

function extraJson(extra: object): string | null {
	const json = JSON.stringify(extra);
	return json === "{}" ? null : json;
}

function parse<Value>(json: string, column: string): Value {
	try {
		return JSON.parse(json) as Value;
	} catch {
		throw new SandboxAgentError("store_failed", `the column ${column} has no JSON`, { retryable: false });
	}
}
