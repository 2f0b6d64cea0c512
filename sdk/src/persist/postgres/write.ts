import { SandboxAgentError } from "@sandbox-agent/core/errors";
import type { NewSessionEvent, SessionWrite, SessionWritten } from "@sandbox-agent/core/session";
import { leaseLost } from "../lease-lost.ts";
import { eventToRow, SESSION_COLUMNS, sessionToRow, turnToRow } from "../rows.ts";
import type { Database, Row } from "./database.ts";
import { wholeNumber } from "./page-query.ts";

/** What the driver adds to a write. */
export interface WriteOptions {
	/** Places of the newest events that stay. @default all */
	readonly keep: number | undefined;
	/** Where a single event would like to stand. @default at the end */
	readonly place?: number | undefined;
}

/** A write that is ready to go, apart from what the caller handed in. */
export interface PreparedWrite {
	readonly sessionId: string;
	/** Whether there are turns or a record in it. */
	readonly isMoreThanEvents: boolean;
	/** One round trip. @throws lease_lost, store_failed */
	run(database: Database): Promise<SessionWritten>;
}

/** Takes copies of everything. @throws invalid_request for an id that a column of text would change */
export function prepareWrite(write: SessionWrite, { keep, place }: WriteOptions): PreparedWrite {
	const { sessionId, events = [], turns = [], record, fence } = write;
	if (events.length === 0 && turns.length === 0 && !record && fence === undefined) {
		return { sessionId, isMoreThanEvents: false, run: async () => ({ events: [] }) };
	}
	// The server cannot insert the same row twice in one statement: of events the first counts, of turns the last.
	const distinct = new Map<string, NewSessionEvent>();
	for (const event of events) if (!distinct.has(event.id)) distinct.set(event.id, event);
	const eventRows = [...distinct.values()].map((event) => eventToRow(sessionId, event, 0));
	const turnRows = [...new Map(turns.map((turn) => [turn.id, turnToRow(sessionId, turn)])).values()];
	for (const id of [sessionId, ...distinct.keys(), ...turns.map((turn) => turn.id)]) checkId(id);
	const sessionRow = record && sessionToRow(record);
	const values = [
		sessionId,
		fence ?? null,
		newToken(),
		keep ?? null,
		place === undefined ? null : wholeNumber(place),
		eventRows.map(({ id }) => id),
		eventRows.map(({ created_at }) => created_at),
		eventRows.map(({ connection_id }) => connection_id),
		eventRows.map(({ sender }) => sender),
		eventRows.map(({ payload_json }) => payload_json),
		eventRows.map(({ log_epoch }) => log_epoch),
		eventRows.map(({ log_id }) => log_id),
		turnRows.map(({ id }) => id),
		turnRows.map(({ state }) => state),
		turnRows.map(({ created_at }) => created_at),
		turnRows.map(({ turn_json }) => turn_json),
		sessionRow ? SESSION_COLUMNS.map((column) => sessionRow[column]) : null,
	];
	const ids = events.map(({ id }) => id);
	return {
		sessionId,
		isMoreThanEvents: turns.length > 0 || record !== undefined,
		async run(database) {
			const [row] = await database.query(`SELECT * FROM ${database.names.write}(${PARAMETERS})`, values);
			if (row?.refused !== "f") throw leaseLost(sessionId);
			return { events: outcomeOf(ids, row) };
		},
	};
}

/** A column of text holds neither, and what is no character would become another one: two ids could become the same. */
function checkId(id: string): void {
	if (!/[\0\p{Surrogate}]/u.test(id)) return;
	throw new SandboxAgentError("invalid_request", `the id ${JSON.stringify(id)} has NUL or half a character in it`);
}

const PARAMETERS = Array.from({ length: 17 }, (_, index) => `$${index + 1}`).join(", ");

/** Names one call: what is repeated because its answer was lost is the same call. */
function newToken(): number {
	return Math.floor(Math.random() * 2 ** 52);
}

/** Puts the places of the new events together with those of the known ones. */
function outcomeOf(ids: readonly string[], row: Row): SessionWritten["events"] {
	// Written by our own function: places by id.
	const known = new Map(Object.entries(JSON.parse(row.known ?? "{}") as { [id: string]: number }));
	// Events behind this place were added by an earlier attempt of the same call.
	const repeatedFrom = row.repeated_from === null ? Number.POSITIVE_INFINITY : Number(row.repeated_from);
	const placed = new Map<string, number>();
	let next = Number(row.base) + 1;
	return ids.map((id) => {
		const before = placed.get(id);
		if (before !== undefined) return { eventIndex: before, added: false };
		const knownPlace = known.get(id);
		const eventIndex = knownPlace ?? next++;
		placed.set(id, eventIndex);
		return { eventIndex, added: knownPlace === undefined || knownPlace > repeatedFrom };
	});
}
