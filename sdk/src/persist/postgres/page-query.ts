import {
	type CursorScope,
	decodeCursor,
	encodeCursor,
	type KeysetPosition,
	type ListPage,
	type ListPageRequest,
	pageLimit,
} from "@sandbox-agent/core/session";
import type { Database, Row } from "./database.ts";

/** Puts a value into the statement and returns what stands for it there. */
export type Parameter = (value: unknown) => string;

/** A page of the rows of one table. */
export interface PageQuery<Item> {
	readonly scope: CursorScope;
	readonly columns: readonly string[];
	/** What a list is sorted by: a whole number, and the id where that is not unique. */
	readonly key: readonly ["event_index"] | readonly ["created_at", "id"];
	readonly request: ListPageRequest & { order?: "oldest-first" | "newest-first" | undefined };
	/** Conditions beside that of the cursor. */
	readonly where: (parameter: Parameter) => readonly string[];
	/** The statement that reads at most a page and what is skipped before it; `rest` is its end, from WHERE on. */
	readonly select: (rest: string, parameter: Parameter) => string;
	readonly read: (row: Row) => Item;
	readonly positionOf: (item: Item) => KeysetPosition;
}

/**
 * Reads a page by the key behind the one before, so that the hundredth costs what the first does. One row more than
 * asked for tells whether there are more.
 */
export async function readPage<Item>(database: Database, page: PageQuery<Item>): Promise<ListPage<Item>> {
	const position = decodeCursor(page.scope, page.request.cursor);
	const limit = Math.min(pageLimit(page.request.limit), MAX_PAGE);
	const newestFirst = page.request.order === "newest-first";
	const values: unknown[] = [];
	const parameter: Parameter = (value) => `$${values.push(value)}`;
	const conditions = [...page.where(parameter)];
	if (position.kind === "after") {
		// A key between two whole numbers is one that nobody made; the page behind it is still well-defined.
		const key = wholeNumber(newestFirst ? Math.ceil(position.key) : Math.floor(position.key));
		const bounds = [`${parameter(key)}::bigint`, ...(page.key.length > 1 ? [parameter(position.id)] : [])];
		conditions.push(`(${page.key.join(", ")}) ${newestFirst ? "<" : ">"} (${bounds.join(", ")})`);
	}
	const offset = position.kind === "offset" ? wholeNumber(position.offset) : 0;
	const order = `ORDER BY ${page.key.map((column) => (newestFirst ? `${column} DESC` : column)).join(", ")}`;
	const rest = `WHERE ${conditions.join(" AND ")} ${order} LIMIT ${parameter(limit + 1)}::bigint + ${parameter(offset)}`;
	const rows = await database.query(
		`SELECT ${page.columns.join(", ")} FROM (${page.select(rest, parameter)}) AS page
		${order} LIMIT ${parameter(limit + 1)} OFFSET ${parameter(offset)}`,
		values,
	);
	const items = rows.slice(0, limit).map(page.read);
	const last = items.at(-1);
	if (!last || rows.length <= limit) return { items };
	return { items, nextCursor: encodeCursor(page.scope, page.positionOf(last)) };
}

/** More does not fit into the memory of a program anyway. */
const MAX_PAGE = 2 ** 31;

/** Within what a `bigint` and a number both hold exactly: a cursor or a place may have been made by hand. */
export function wholeNumber(value: number): number {
	return Math.max(Number.MIN_SAFE_INTEGER, Math.min(2 ** 52, Math.trunc(value)));
}
