import { SandboxAgentError } from "@sandbox-agent/core/errors";
import { EVENT_COLUMNS, SESSION_COLUMNS } from "../rows.ts";
import type { Query } from "./database.ts";

/** Version of the layout below. A store of a newer one is refused, not misread. */
export const SCHEMA_VERSION = 1;

/** Quoted names of what the store has in its schema. The prefix keeps them apart from tables of the application. */
export interface Names {
	readonly schema: string;
	/** The same without quotes. */
	readonly schemaName: string;
	readonly meta: string;
	/** One row per session that anything was written about: where its history ends, and who drives it. */
	readonly heads: string;
	readonly sessions: string;
	readonly events: string;
	readonly turns: string;
	readonly capsules: string;
	readonly chunks: string;
	/** Fences come from one sequence: they grow also over the deletion of a session. */
	readonly fences: string;
	readonly write: string;
	readonly lock: string;
	readonly deleteSession: string;
	readonly deleteEvents: string;
	/** What changes are told on; a channel has no schema, so its name carries it. Unquoted. */
	readonly channel: string;
}

/** @throws invalid_request for a schema name with other characters than letters, digits and `_` */
export function namesIn(schema: string): Names {
	if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(schema)) {
		const rule = "letters, digits and underscores, not beginning with a digit";
		throw new SandboxAgentError("invalid_request", `the schema name ${JSON.stringify(schema)} must consist of ${rule}`);
	}
	const name = (suffix: string) => `"${schema}".sandbox_agent_${suffix}`;
	return {
		schema: `"${schema}"`,
		schemaName: schema,
		meta: name("meta"),
		heads: name("heads"),
		sessions: name("sessions"),
		events: name("events"),
		turns: name("turns"),
		capsules: name("capsules"),
		chunks: name("capsule_chunks"),
		fences: name("fences"),
		write: name("write"),
		lock: name("lock"),
		deleteSession: name("delete_session"),
		deleteEvents: name("delete_events"),
		// Longer names of channels are refused. That two schemas share one is no harm.
		channel: `sandbox_agent_${schema}`.slice(0, 63),
	};
}

/**
 * Makes the tables and functions unless they are there. Runs in a transaction, one client at a time.
 * @throws record_unsupported when a newer version of this package has made them
 */
export async function migrate(query: Query, names: Names): Promise<void> {
	// Two numbers that name this lock among those of the database.
	await query("SELECT pg_advisory_xact_lock(hashtext('sandbox-agent'), hashtext($1))", [names.schema]);
	if (await isCurrent(query, names)) return;
	const schemas = await query("SELECT FROM pg_namespace WHERE nspname = $1", [names.schemaName]);
	// Also with IF NOT EXISTS this needs a right that the role may not have.
	if (schemas.length === 0) await query(`CREATE SCHEMA ${names.schema}`);
	for (const statement of statementsOf(names)) await query(statement);
	await copyOldLayout(query, names);
	await query(`INSERT INTO ${names.meta} (version) VALUES ($1)`, [SCHEMA_VERSION]);
}

/** Whether the store is there in this version. @throws record_unsupported for a newer one */
export async function isCurrent(query: Query, names: Names): Promise<boolean> {
	// The catalog itself: functions like `to_regclass` may answer with what this connection knew before it had the lock.
	const tables = await query(
		`SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = $1 AND c.relname = 'sandbox_agent_meta'`,
		[names.schemaName],
	);
	if (tables.length === 0) return false;
	const [row] = await query(`SELECT max(version) AS version FROM ${names.meta}`);
	const version = Number(row?.version ?? 0);
	if (version <= SCHEMA_VERSION) return version === SCHEMA_VERSION;
	const known = `this one knows stores up to ${SCHEMA_VERSION}`;
	throw new SandboxAgentError("record_unsupported", `the store in ${names.schema} is of version ${version}, ${known}`);
}

/**
 * JSON is kept as text: `jsonb` changes the order of members and refuses NUL and lone surrogates, which agents do send;
 * `json` would have every message parsed once more. Ids are compared byte by byte, whatever the database's language.
 */
function statementsOf(names: Names): string[] {
	const { heads, sessions, events, turns, capsules, chunks, meta, fences } = names;
	const id = 'text COLLATE "C" NOT NULL';
	return [
		`CREATE TABLE ${meta} (version integer PRIMARY KEY, since timestamptz NOT NULL DEFAULT now())`,
		`CREATE SEQUENCE ${fences}`,
		`CREATE TABLE ${heads} (
			session_id ${id} PRIMARY KEY,
			first_index bigint NOT NULL DEFAULT 1,
			last_index bigint NOT NULL DEFAULT 0,
			write_token bigint,
			write_base bigint,
			fence bigint NOT NULL DEFAULT 0,
			owner text,
			expires_at timestamptz,
			changed_at timestamptz NOT NULL DEFAULT clock_timestamp()
		)`,
		// For those who listen, and look from time to time whether something went untold.
		`CREATE INDEX sandbox_agent_heads_changed ON ${heads} (changed_at)`,
		`CREATE TABLE ${sessions} (
			id ${id} PRIMARY KEY,
			version integer NOT NULL,
			agent text COLLATE "C" NOT NULL,
			agent_session_id text NOT NULL,
			last_connection_id text NOT NULL,
			created_at bigint NOT NULL,
			destroyed_at bigint,
			sandbox_id text COLLATE "C",
			session_init_json text,
			config_options_json text,
			modes_json text,
			extra_json text
		)`,
		`CREATE INDEX sandbox_agent_sessions_created ON ${sessions} (created_at, id)`,
		`CREATE INDEX sandbox_agent_sessions_alive ON ${sessions} (created_at, id) WHERE destroyed_at IS NULL`,
		`CREATE INDEX sandbox_agent_sessions_agent ON ${sessions} (agent, created_at, id)`,
		`CREATE INDEX sandbox_agent_sessions_sandbox ON ${sessions} (sandbox_id, created_at, id)`,
		`CREATE INDEX sandbox_agent_sessions_destroyed ON ${sessions} (destroyed_at) WHERE destroyed_at IS NOT NULL`,
		`CREATE TABLE ${events} (
			session_id ${id},
			event_index bigint NOT NULL,
			id ${id},
			created_at bigint NOT NULL,
			connection_id text NOT NULL,
			sender text NOT NULL,
			payload_json text NOT NULL,
			log_epoch text,
			log_id bigint,
			PRIMARY KEY (session_id, event_index)
		)`,
		`CREATE UNIQUE INDEX sandbox_agent_events_id ON ${events} (${BY_ID.session}, ${BY_ID.id})`,
		`CREATE TABLE ${turns} (
			session_id ${id},
			id ${id},
			state text COLLATE "C" NOT NULL,
			created_at bigint NOT NULL,
			turn_json text NOT NULL,
			PRIMARY KEY (session_id, id)
		)`,
		`CREATE INDEX sandbox_agent_turns_created ON ${turns} (session_id, created_at, id)`,
		`CREATE INDEX sandbox_agent_turns_state ON ${turns} (session_id, state, created_at, id)`,
		`CREATE TABLE ${capsules} (session_id ${id} PRIMARY KEY, manifest_json text NOT NULL)`,
		`CREATE TABLE ${chunks} (
			session_id ${id},
			path ${id},
			byte_offset bigint NOT NULL,
			data bytea NOT NULL,
			PRIMARY KEY (session_id, path, byte_offset)
		)`,
		lockFunction(names),
		writeFunction(names),
		deleteSessionFunction(names),
		deleteEventsFunction(names),
	];
}

/**
 * How events are looked up by id. The planner uses an index only for the collation it was made with, and this one orders
 * as "C" does under another name. So it cannot take the primary key instead and go through the whole session, which it
 * does when it plans while there are few events; and it cannot take this index for a range of places.
 */
const BY_ID = {
	session: '(session_id COLLATE "POSIX")',
	id: '(id COLLATE "POSIX")',
};

/**
 * What each function has: no search path that somebody else can put things into, and plans that look up by index, made
 * once per connection. Left to itself the planner would read a small table as a whole and keep to that while it grows.
 */
const FUNCTION = `LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off
	SET plan_cache_mode = force_generic_plan SET jit = off`;

/**
 * Locks the head of a session until the end of the transaction, and makes it where there is none. False, and nothing is
 * locked or made, when the fence is another one. Writers of one session wait for each other here, others do not.
 */
function lockFunction({ lock, heads }: Names): string {
	return `CREATE FUNCTION ${lock}(p_session text, p_fence bigint) RETURNS boolean ${FUNCTION} AS $body$
		DECLARE
			v_fence bigint;
		BEGIN
			LOOP
				SELECT fence INTO v_fence FROM ${heads} WHERE session_id = p_session FOR UPDATE;
				IF FOUND THEN
					RETURN p_fence IS NULL OR p_fence = v_fence;
				END IF;
				IF p_fence IS NOT NULL THEN
					RETURN false;
				END IF;
				INSERT INTO ${heads} (session_id) VALUES (p_session) ON CONFLICT DO NOTHING;
			END LOOP;
		END $body$`;
}

/**
 * One write, in one round trip. Each statement in it sees what was committed before it began, so what is read behind the
 * lock is what the writer before has left.
 *
 * `p_place` is the place that a single event would like to have. `p_token` names the write: one that is repeated because
 * its answer was lost is told `repeated_from`, the place before which it began the first time.
 */
function writeFunction({ write, lock, heads, sessions, events, turns }: Names): string {
	const columns = SESSION_COLUMNS.join(", ");
	const types: Partial<Record<(typeof SESSION_COLUMNS)[number], string>> = {
		version: "::integer",
		created_at: "::bigint",
		destroyed_at: "::bigint",
	};
	const values = SESSION_COLUMNS.map((column, index) => `p_record[${index + 1}]${types[column] ?? ""}`).join(", ");
	const changes = SESSION_COLUMNS.filter((column) => column !== "id").map((column) => `${column} = excluded.${column}`);
	return `CREATE FUNCTION ${write}(
			p_session text, p_fence bigint, p_token bigint, p_keep bigint, p_place bigint,
			p_ids text[], p_created bigint[], p_connections text[], p_senders text[], p_payloads text[],
			p_epochs text[], p_log_ids bigint[],
			p_turn_ids text[], p_turn_states text[], p_turn_created bigint[], p_turns text[],
			p_record text[],
			OUT refused boolean, OUT base bigint, OUT repeated_from bigint, OUT known jsonb
		) ${FUNCTION} AS $body$
		DECLARE
			v_head ${heads}%ROWTYPE;
			v_added bigint := 0;
			v_known text[];
		BEGIN
			refused := NOT ${lock}(p_session, p_fence);
			IF refused THEN
				RETURN;
			END IF;
			SELECT * INTO v_head FROM ${heads} WHERE session_id = p_session;
			IF v_head.write_token = p_token THEN
				repeated_from := v_head.write_base;
			END IF;
			base := v_head.last_index;
			IF cardinality(p_ids) > 0 THEN
				-- One look each: for all at once the planner may go through the session, and OFFSET keeps it from looking twice.
				SELECT array_agg(id), jsonb_object_agg(id, place) INTO v_known, known
					FROM (
						SELECT i.id, (
							SELECT event_index FROM ${events} WHERE ${BY_ID.session} = p_session AND ${BY_ID.id} = i.id
						) AS place FROM unnest(p_ids) AS i (id) OFFSET 0
					) AS looked_up WHERE place IS NOT NULL;
				IF p_place >= 1 AND NOT EXISTS (
					SELECT FROM ${events} e WHERE e.session_id = p_session AND e.event_index = p_place
				) THEN
					base := p_place - 1;
				END IF;
				INSERT INTO ${events} (${EVENT_COLUMNS.join(", ")})
					SELECT p_session, base + row_number() OVER (ORDER BY i.n), i.id, i.created, i.connection, i.sender,
						i.payload, i.epoch, i.log_id
					FROM unnest(p_ids, p_created, p_connections, p_senders, p_payloads, p_epochs, p_log_ids)
						WITH ORDINALITY AS i (id, created, connection, sender, payload, epoch, log_id, n)
					WHERE v_known IS NULL OR i.id <> ALL (v_known);
				GET DIAGNOSTICS v_added = ROW_COUNT;
			END IF;
			IF v_added > 0 THEN
				v_head.write_token := p_token;
				v_head.write_base := v_head.last_index;
				v_head.first_index := least(v_head.first_index, base + 1);
				v_head.last_index := greatest(v_head.last_index, base + v_added);
				IF v_head.last_index - v_head.first_index >= p_keep THEN
					DELETE FROM ${events} WHERE session_id = p_session
						AND event_index BETWEEN v_head.first_index AND v_head.last_index - p_keep;
					v_head.first_index := v_head.last_index - p_keep + 1;
				END IF;
			END IF;
			INSERT INTO ${turns} (session_id, id, state, created_at, turn_json)
				SELECT p_session, t.id, t.state, t.created, t.turn
				FROM unnest(p_turn_ids, p_turn_states, p_turn_created, p_turns) AS t (id, state, created, turn)
				ON CONFLICT (session_id, id) DO UPDATE SET
					state = excluded.state, created_at = excluded.created_at, turn_json = excluded.turn_json;
			IF p_record IS NOT NULL THEN
				INSERT INTO ${sessions} (${columns}) VALUES (${values})
					ON CONFLICT (id) DO UPDATE SET ${changes.join(", ")};
			END IF;
			IF v_added > 0 OR cardinality(p_turn_ids) > 0 OR p_record IS NOT NULL THEN
				UPDATE ${heads} SET first_index = v_head.first_index, last_index = v_head.last_index,
					write_token = v_head.write_token, write_base = v_head.write_base, changed_at = clock_timestamp()
					WHERE session_id = p_session;
			END IF;
		END $body$`;
}

/**
 * Deletes a session with everything about it. With `p_destroyed_before` only one that was destroyed before that moment
 * (epoch milliseconds) and that nobody drives.
 */
function deleteSessionFunction(names: Names): string {
	const { deleteSession, heads, sessions, events, turns, capsules, chunks } = names;
	return `CREATE FUNCTION ${deleteSession}(p_session text, p_destroyed_before bigint) RETURNS void ${FUNCTION} AS $body$
		DECLARE
			v_expires timestamptz;
		BEGIN
			SELECT expires_at INTO v_expires FROM ${heads} WHERE session_id = p_session FOR UPDATE;
			IF NOT FOUND THEN
				RETURN;
			END IF;
			IF p_destroyed_before IS NOT NULL AND (v_expires > clock_timestamp() OR NOT EXISTS (
				SELECT FROM ${sessions} WHERE id = p_session AND destroyed_at < p_destroyed_before
			)) THEN
				RETURN;
			END IF;
			DELETE FROM ${events} WHERE session_id = p_session;
			DELETE FROM ${turns} WHERE session_id = p_session;
			DELETE FROM ${chunks} WHERE session_id = p_session;
			DELETE FROM ${capsules} WHERE session_id = p_session;
			DELETE FROM ${sessions} WHERE id = p_session;
			DELETE FROM ${heads} WHERE session_id = p_session;
		END $body$`;
}

/** Deletes the events up to a place and counts them. Where the history begins is kept: gone entries are not read again. */
function deleteEventsFunction({ deleteEvents, heads, events }: Names): string {
	return `CREATE FUNCTION ${deleteEvents}(p_session text, p_through bigint) RETURNS bigint ${FUNCTION} AS $body$
		DECLARE
			v_first bigint;
			v_deleted bigint;
		BEGIN
			SELECT first_index INTO v_first FROM ${heads} WHERE session_id = p_session FOR UPDATE;
			DELETE FROM ${events} WHERE session_id = p_session AND event_index BETWEEN v_first AND p_through;
			GET DIAGNOSTICS v_deleted = ROW_COUNT;
			IF v_deleted > 0 THEN
				UPDATE ${heads} SET first_index = least(p_through, last_index) + 1, changed_at = clock_timestamp()
					WHERE session_id = p_session;
			END IF;
			RETURN v_deleted;
		END $body$`;
}

/** Columns by which the two tables of the drivers before 0.5 are recognised among tables of the same names. */
const OLD_SESSION_COLUMNS = ["id", "agent", "agent_session_id", "last_connection_id", "created_at", "destroyed_at"];
const OLD_EVENT_COLUMNS = ["id", "session_id", "created_at", "connection_id", "sender", "payload_json"];

/**
 * Takes over what the drivers before 0.5 stored in the tables `sessions` and `events` of the schema, which stay as they
 * are. Events get places by their old order: two could have the same one, and the oldest layout had none.
 */
async function copyOldLayout(query: Query, names: Names): Promise<void> {
	const old = { sessions: `${names.schema}.sessions`, events: `${names.schema}.events` };
	const sessionColumns = await columnsOf(query, old.sessions);
	const eventColumns = await columnsOf(query, old.events);
	const known =
		OLD_SESSION_COLUMNS.every((name) => sessionColumns.has(name)) &&
		OLD_EVENT_COLUMNS.every((name) => eventColumns.has(name));
	if (!known) return;
	// Some of the columns came later. As members of an object they may be absent, and be `jsonb` or text.
	const later = ["sandbox_id", "session_init_json", "config_options_json", "modes_json"];
	await query(`INSERT INTO ${names.sessions} (version, ${OLD_SESSION_COLUMNS.join(", ")}, ${later.join(", ")})
		SELECT 1, ${OLD_SESSION_COLUMNS.join(", ")}, ${later.map((name) => `to_jsonb(s) ->> '${name}'`).join(", ")}
		FROM ${old.sessions} s`);
	const order = [...(eventColumns.has("event_index") ? ["event_index"] : []), "created_at", "id"].join(", ");
	await query(`INSERT INTO ${names.events} (session_id, event_index, id, created_at, connection_id, sender, payload_json)
		SELECT session_id, row_number() OVER (PARTITION BY session_id ORDER BY ${order}), id::text, created_at,
			connection_id, sender, payload_json::text FROM ${old.events}`);
	await query(`INSERT INTO ${names.heads} (session_id, last_index)
		SELECT session_id, max(event_index) FROM ${names.events} GROUP BY session_id`);
	await query(`INSERT INTO ${names.heads} (session_id) SELECT id FROM ${names.sessions} ON CONFLICT DO NOTHING`);
}

async function columnsOf(query: Query, table: string): Promise<Set<unknown>> {
	const rows = await query(
		"SELECT attname AS name FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped",
		[table],
	);
	return new Set(rows.map(({ name }) => name));
}
