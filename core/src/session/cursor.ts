import { SandboxAgentError } from "../errors/index.ts";

/** What a cursor points behind: a place in an ordered list, by its sort key and the id that breaks ties. */
export interface KeysetPosition {
	readonly key: number;
	readonly id: string;
}

/** Where a list goes on. A decimal number is an offset, the form older programs may have stored. */
export type ListPosition =
	| { kind: "start" }
	| { kind: "offset"; offset: number }
	| ({ kind: "after" } & KeysetPosition);

/** Which list a cursor belongs to. */
export type CursorScope = "sessions" | "events" | "turns";

const PREFIXES: Record<CursorScope, string> = { sessions: "s.", events: "e.", turns: "t." };

/** The cursor behind an item: it stays right while items are added or removed before it. */
export function encodeCursor(scope: CursorScope, position: KeysetPosition): string {
	const bytes = new TextEncoder().encode(position.id);
	const id = btoa(String.fromCharCode(...bytes))
		.replaceAll("+", "-")
		.replaceAll("/", "_")
		.replaceAll("=", "");
	return `${PREFIXES[scope]}${position.key}.${id}`;
}

/**
 * Reads a cursor. No cursor, and text that no version ever made, mean the start of the list.
 * @throws invalid_request for a cursor of the other list
 */
export function decodeCursor(scope: CursorScope, cursor: string | undefined): ListPosition {
	if (!cursor) return { kind: "start" };
	if (/^\d+$/.test(cursor)) return { kind: "offset", offset: Number(cursor) };
	const parsed = /^([set]\.)(-?\d+(?:\.\d+)?)\.([\w-]*)$/.exec(cursor);
	const [, prefix, key, id] = parsed ?? [];
	if (prefix === undefined || key === undefined || id === undefined) return { kind: "start" };
	if (prefix !== PREFIXES[scope]) {
		throw new SandboxAgentError("invalid_request", `the cursor '${cursor}' belongs to another list than ${scope}`);
	}
	return { kind: "after", key: Number(key), id: decodeId(id) };
}

/** The page size to use: whole, at least 1, else the default. */
export function pageLimit(limit: number | undefined, defaultLimit = 100): number {
	return limit === undefined || !Number.isFinite(limit) || limit < 1 ? defaultLimit : Math.floor(limit);
}

function decodeId(text: string): string {
	const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
	return new TextDecoder().decode(Uint8Array.from(binary, (character) => character.charCodeAt(0)));
}
