import {
	type CursorScope,
	decodeCursor,
	encodeCursor,
	type KeysetPosition,
	type ListPage,
	type ListPageRequest,
	pageLimit,
} from "@sandbox-agent/core/session";
import { copyJson } from "../copy-json.ts";

/** A list that pages are taken from. */
export interface PagedList<Item> {
	readonly scope: CursorScope;
	readonly size: number;
	at(position: number): Item | undefined;
	keyOf(item: Item): KeysetPosition;
	/** How many items stand before a key; with `inclusive` also the one that has it. */
	countBefore(key: KeysetPosition, inclusive: boolean): number;
	/** Which items are meant. @default all */
	accepts?: ((item: Item) => boolean) | undefined;
}

/** One page of a list, as copies. Costs what it skips by offset and filter and what it returns, not the list's length. */
export function pageOf<Item>(
	list: PagedList<Item>,
	request: ListPageRequest & { order?: "oldest-first" | "newest-first" | undefined },
): ListPage<Item> {
	const isReversed = request.order === "newest-first";
	const step = isReversed ? -1 : 1;
	const from = decodeCursor(list.scope, request.cursor);
	const limit = pageLimit(request.limit);
	let position = isReversed ? list.size - 1 : 0;
	if (from.kind === "after") position = isReversed ? list.countBefore(from, false) - 1 : list.countBefore(from, true);
	let toSkip = from.kind === "offset" ? from.offset : 0;
	const items: Item[] = [];
	for (let item = list.at(position); item !== undefined; position += step, item = list.at(position)) {
		if (list.accepts && !list.accepts(item)) continue;
		if (toSkip > 0) {
			toSkip--;
			continue;
		}
		const last = items.at(-1);
		if (items.length === limit && last) {
			return { items: copyJson(items), nextCursor: encodeCursor(list.scope, list.keyOf(last)) };
		}
		items.push(item);
	}
	return { items: copyJson(items) };
}
