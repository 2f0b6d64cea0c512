import { TrieRouter } from "hono/router/trie-router";
import { invalidRequest } from "./request-errors.ts";

/** A path of the route table and what it stands for. */
export interface RouteMatch<Target> {
	readonly target: Target;
	/** Percent-decoded. */
	readonly params: Readonly<Record<string, string>>;
}

/**
 * Finds the entry of a request path. Literal segments win over parameters and those over `*`, whatever the order of the
 * table; a parameter is never empty; a path with a trailing slash is another path.
 */
export class RouteMatcher<Target> {
	readonly #router = new TrieRouter<Target>();
	/** Targets of paths that end in `*`: only these may be reached with a trailing slash. */
	readonly #rests = new Set<Target>();

	/** @param paths Paths in the form of the route table (`/v1/acp/{server_id}`, `/ui/*`) with their targets. */
	constructor(paths: Iterable<readonly [string, Target]>) {
		// The router gives the first that was added; the most literal path comes first.
		const openness = (path: string) => path.split("{").length + 100 * path.split("*").length;
		for (const [path, target] of [...paths].sort(([one], [other]) => openness(one) - openness(other))) {
			if (path.endsWith("*")) this.#rests.add(target);
			this.#router.add("ALL", path.replace(/\{(\w+)\}/g, ":$1"), target);
		}
	}

	/**
	 * @param path Path of the request as it was sent, without query.
	 * @throws invalid_request when a parameter is not valid percent-encoding.
	 */
	match(path: string): RouteMatch<Target> | undefined {
		const trailing = path.length > 1 && path.endsWith("/");
		const [handlers] = this.#router.match("ALL", path);
		const found = handlers.find(([target]) => !trailing || this.#rests.has(target));
		if (!found) return undefined;
		const [target, values] = found;
		const params: Record<string, string> = {};
		for (const [name, value] of Object.entries(values)) params[name] = decode(String(value));
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
