import {
	type CursorScope,
	decodeCursor,
	encodeCursor,
	type KeysetPosition,
	type ListPage,
	type ListPageRequest,
	pageLimit,
} from "@sandbox-agent/core/session";
import type { SqliteConnection } from "./connection.ts";
import type { SqliteValue } from "./database.ts";

/** A condition with the values of its placeholders. */
export interface Condition {
	readonly sql: string;
	readonly values: readonly SqliteValue[];
}

/** How a list is read. */
export interface ListQuery<Row, Item> {
	readonly scope: CursorScope;
	/** `SELECT … FROM …` */
	readonly select: string;
	/** Columns of the sort key: one that is unique, or one with the id that breaks ties. */
	readonly key: readonly [string] | readonly [string, string];
	/**
	 * Which rows are meant, with all conditions of each; a row is in one of the sets at most. Several sets are read in
	 * their order side by side, each by its index, and merged.
	 */
	readonly sets: readonly (readonly Condition[])[];
	readonly order?: "oldest-first" | "newest-first" | undefined;
	readonly item: (row: Row) => Item;
	readonly keyOf: (item: Item) => KeysetPosition;
}

/** One page of a list. */
export function pageOf<Row, Item>(
	connection: SqliteConnection,
	query: ListQuery<Row, Item>,
	request: ListPageRequest,
): ListPage<Item> {
	const from = decodeCursor(query.scope, request.cursor);
	const limit = pageLimit(request.limit);
	if (query.sets.length === 0) return { items: [] };
	const isReversed = query.order === "newest-first";
	const behind = from.kind === "after" ? [conditionBehind(query.key, from, isReversed)] : [];
	const sets = query.sets.map((conditions) => [...conditions, ...behind]);
	const selects = sets.map((conditions) => {
		return conditions.length === 0
			? query.select
			: `${query.select} WHERE ${conditions.map(({ sql }) => sql).join(" AND ")}`;
	});
	const order = query.key.map((column) => `${column} ${isReversed ? "DESC" : "ASC"}`).join(", ");
	const sql = `${selects.join(" UNION ALL ")} ORDER BY ${order} LIMIT ? OFFSET ?`;
	const values = sets.flat().flatMap((condition) => condition.values);
	// One more than asked for tells whether there is a next page.
	const rows = connection.all<Row>(sql, ...values, limit + 1, from.kind === "offset" ? from.offset : 0);
	const items = rows.slice(0, limit).map(query.item);
	const last = items.at(-1);
	if (rows.length <= limit || last === undefined) return { items };
	return { items, nextCursor: encodeCursor(query.scope, query.keyOf(last)) };
}

function conditionBehind(columns: readonly string[], { key, id }: KeysetPosition, isReversed: boolean): Condition {
	const operator = isReversed ? "<" : ">";
	if (columns.length === 1) return { sql: `${columns[0]} ${operator} ?`, values: [key] };
	return { sql: `(${columns.join(", ")}) ${operator} (?, ?)`, values: [key, id] };
}
