import { invalidRequest } from "./request-errors.ts";

/** A path of the route table and what it stands for. */
export interface RouteMatch<Target> {
	readonly target: Target;
	/** Percent-decoded. */
	readonly params: Readonly<Record<string, string>>;
}

/** One step of a path: what may follow it, and what ends there. */
interface Step<Target> {
	readonly literals: Map<string, Step<Target>>;
	/** The step of a `{parameter}`. All paths that share it share its name. */
	parameter?: { readonly name: string; readonly step: Step<Target> };
	/** What a final `*` stands for: any rest, which may be empty. */
	rest?: Target;
	target?: Target;
}

/**
 * Finds the entry of a request path. Literal segments win over parameters and those over `*`, whatever the order of the
 * table; a parameter is never empty; a path with a trailing slash is another path.
 */
export class RouteMatcher<Target> {
	readonly #root: Step<Target> = { literals: new Map() };

	/** @param paths Paths in the form of the route table (`/v1/acp/{server_id}`, `/ui/*`) with their targets. */
	constructor(paths: Iterable<readonly [string, Target]>) {
		for (const [path, target] of paths) this.#add(path.slice(1).split("/"), target);
	}

	/**
	 * @param path Path of the request as it was sent, without query.
	 * @throws invalid_request when a parameter is not valid percent-encoding.
	 */
	match(path: string): RouteMatch<Target> | undefined {
		const params: Record<string, string> = {};
		const target = path.startsWith("/") ? find(this.#root, path.slice(1).split("/"), 0, params) : undefined;
		return target === undefined ? undefined : { target, params };
	}

	#add(segments: readonly string[], target: Target): void {
		let step = this.#root;
		for (const segment of segments) {
			if (segment === "*") {
				step.rest = target;
				return;
			}
			const name = /^\{(\w+)\}$/.exec(segment)?.[1];
			step = name === undefined ? literal(step, segment) : parameter(step, name);
		}
		step.target = target;
	}
}

function literal<Target>(step: Step<Target>, segment: string): Step<Target> {
	const next = step.literals.get(segment) ?? { literals: new Map() };
	step.literals.set(segment, next);
	return next;
}

function parameter<Target>(step: Step<Target>, name: string): Step<Target> {
	step.parameter ??= { name, step: { literals: new Map() } };
	if (step.parameter.name !== name) throw new Error(`two names for one parameter: ${step.parameter.name} and ${name}`);
	return step.parameter.step;
}

function find<Target>(
	step: Step<Target>,
	segments: readonly string[],
	index: number,
	params: Record<string, string>,
): Target | undefined {
	const segment = segments[index];
	if (segment === undefined) return step.target ?? step.rest;
	const next = step.literals.get(segment);
	const found = next && find(next, segments, index + 1, params);
	if (found !== undefined) return found;
	if (step.parameter && segment !== "") {
		const target = find(step.parameter.step, segments, index + 1, params);
		if (target !== undefined) {
			params[step.parameter.name] = decode(segment);
			return target;
		}
	}
	return step.rest;
}

function decode(segment: string): string {
	if (!segment.includes("%")) return segment;
	try {
		return decodeURIComponent(segment);
	} catch {
		throw invalidRequest(`the path segment ${segment} is not valid percent-encoding`);
	}
}
