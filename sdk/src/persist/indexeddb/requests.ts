import type { ListPosition } from "@sandbox-agent/core/session";

/** The most a range read takes at once: the platform's own limit. */
const MAX_COUNT = 2 ** 32 - 1;

/** The outcome of a request. */
export function resultOf<Result>(request: IDBRequest<Result>): Promise<Result> {
	return new Promise((resolve, reject) => {
		request.onsuccess = () => resolve(request.result);
		request.onerror = () => reject(request.error);
	});
}

/** The end of a transaction: resolves when it is committed. */
export function endOf(transaction: IDBTransaction): Promise<void> {
	return new Promise((resolve, reject) => {
		transaction.oncomplete = () => resolve();
		transaction.onabort = () => reject(transaction.error);
	});
}

/** Every key that begins with these parts: an array sorts behind all numbers and texts. */
export function startingWith(...parts: IDBValidKey[]): IDBKeyRange {
	return IDBKeyRange.bound(parts, [...parts, []]);
}

/** The keys `[...parts, key, id]` that are behind a place in the order that is asked for. */
export function behind(parts: IDBValidKey[], position: ListPosition, newestFirst = false): IDBKeyRange {
	if (position.kind !== "after") return startingWith(...parts);
	const place = [...parts, position.key, position.id];
	return newestFirst
		? IDBKeyRange.bound(parts, place, false, true)
		: IDBKeyRange.bound(place, [...parts, []], true, false);
}

/** Which rows of a range. */
export interface RowsRequest {
	range: IDBKeyRange;
	newestFirst?: boolean | undefined;
	/** Left out at the beginning. @default 0 */
	offset?: number | undefined;
	/** How many at most. */
	count: number;
}

/** Rows in the order of their keys. */
export async function readRows<Row>(source: IDBObjectStore | IDBIndex, request: RowsRequest): Promise<Row[]> {
	const { range, newestFirst = false, offset = 0, count } = request;
	// One request for all of them; what follows takes one for each.
	if (!newestFirst && offset === 0) return resultOf(source.getAll(range, Math.min(count, MAX_COUNT)));
	const rows: Row[] = [];
	let toSkip = offset;
	await eachCursor(source.openCursor(range, newestFirst ? "prev" : "next"), (cursor) => {
		if (toSkip > 0) {
			cursor.advance(Math.min(toSkip, MAX_COUNT));
			toSkip = 0;
			return;
		}
		rows.push(cursor.value);
		if (rows.length < count) cursor.continue();
	});
	return rows;
}

/** Hands a cursor to a visitor at each place it is moved to; resolves when it is moved no more, or at the end. */
function eachCursor(
	request: IDBRequest<IDBCursorWithValue | null>,
	visit: (cursor: IDBCursorWithValue) => void,
): Promise<void> {
	return new Promise((resolve, reject) => {
		request.onerror = () => reject(request.error);
		request.onsuccess = () => {
			const cursor = request.result;
			if (!cursor) {
				resolve();
				return;
			}
			visit(cursor);
			// Moving it on makes the request pending again.
			if (request.readyState === "done") resolve();
		};
	});
}
