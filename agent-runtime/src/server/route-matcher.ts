import { TrieRouter } from "hono/router/trie-router";
import { invalidRequest } from "./request-errors.ts";

/** A path of the route table and what it stands for. */
export interface RouteMatch<Target> {
	readonly target: Target;
	/** Percent-decoded. */
	readonly params: Readonly<Record<string, string>>;
}

/**
 * Finds the entry of a request path. Literal segments win over parameters, whatever the order of registration; a path
 * with a trailing slash is another path.
 */
export class RouteMatcher<Target> {
	readonly #router = new TrieRouter<Target>();

	/** @param paths Paths in the form of the route table (`/v1/acp/{server_id}`, `/ui/*`) with their targets. */
	constructor(paths: Iterable<readonly [string, Target]>) {
		const parameters = (path: string) => path.split("{").length + path.split("*").length;
		const sorted = [...paths].sort(([one], [other]) => parameters(one) - parameters(other));
		for (const [path, target] of sorted) this.#router.add("ALL", path.replace(/\{(\w+)\}/g, ":$1"), target);
	}

	/**
	 * @param path Path of the request as it was sent, without query.
	 * @throws invalid_request when a parameter is not valid percent-encoding.
	 */
	match(path: string): RouteMatch<Target> | undefined {
		const [handlers] = this.#router.match("ALL", path);
		const [first] = handlers;
		if (!first) return undefined;
		const [target, found] = first;
		const params: Record<string, string> = {};
		for (const [name, value] of Object.entries(found)) params[name] = decode(String(value));
		return { target, params };
	}
}

function decode(segment: string): string {
	if (!segment.includes("%")) return segment;
	try {
		return decodeURIComponent(segment);
	} catch {
		throw invalidRequest(`the path segment ${segment} is not valid percent-encoding`);
	}
}
