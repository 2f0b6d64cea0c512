import { SandboxAgentError, type SandboxAgentErrorCode } from "../../errors/index.ts";

/** @throws when the condition does not hold */
export function check(condition: unknown, message: string): asserts condition {
	if (!condition) throw new Error(message);
}

/** @throws when the values differ; a member that is `undefined` and one that is absent are the same */
export function equal(actual: unknown, expected: unknown, what: string): void {
	if (!isEqual(actual, expected)) throw new Error(`${what}: expected ${show(expected)}, got ${show(actual)}`);
}

/** @throws when the work does not reject, or not with this code (any error will do without one) */
export async function rejects(work: Promise<unknown>, code: SandboxAgentErrorCode | undefined, what: string) {
	const outcome = await work.then(
		(value) => ({ value }),
		(error: unknown) => ({ error }),
	);
	check("error" in outcome, `${what}: expected a rejection, got ${show("value" in outcome && outcome.value)}`);
	if (code === undefined || SandboxAgentError.isInstance(outcome.error, code)) return;
	throw new Error(`${what}: expected an error with the code ${code}, got ${String(outcome.error)}`, {
		cause: outcome.error,
	});
}

const PATIENCE_MS = 20_000;
const PAUSE_MS = 5;

/** Resolves with the first value that is not `undefined`. @throws after 20 seconds */
export async function until<Value>(
	what: string,
	look: () => Value | undefined | Promise<Value | undefined>,
): Promise<Value> {
	const begun = Date.now();
	for (;;) {
		const value = await look();
		if (value !== undefined) return value;
		check(Date.now() - begun < PATIENCE_MS, `${what}: did not happen within ${PATIENCE_MS} ms`);
		await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
	}
}

function isEqual(left: unknown, right: unknown): boolean {
	if (Object.is(left, right)) return true;
	if (typeof left !== "object" || typeof right !== "object" || left === null || right === null) return false;
	if (left instanceof Uint8Array || right instanceof Uint8Array) return isEqualBytes(left, right);
	if (Array.isArray(left) !== Array.isArray(right)) return false;
	const leftMembers = membersOf(left);
	const rightMembers = membersOf(right);
	return (
		leftMembers.size === rightMembers.size &&
		[...leftMembers].every(([name, value]) => rightMembers.has(name) && isEqual(value, rightMembers.get(name)))
	);
}

function isEqualBytes(left: object, right: object): boolean {
	return (
		left instanceof Uint8Array &&
		right instanceof Uint8Array &&
		left.length === right.length &&
		left.every((byte, index) => byte === right[index])
	);
}

function membersOf(value: object): Map<string, unknown> {
	return new Map(Object.entries(value).filter(([, member]) => member !== undefined));
}

const SHOWN_CHARACTERS = 500;

function show(value: unknown): string {
	const text = JSON.stringify(value) ?? String(value);
	return text.length <= SHOWN_CHARACTERS ? text : `${text.slice(0, SHOWN_CHARACTERS)}…`;
}
