import type { ToolKind } from "@agentclientprotocol/sdk";
import { SandboxAgentError } from "@sandbox-agent/core/errors";
import { isObject } from "../../acp/envelope.ts";
import { commandPattern } from "./command-patterns.ts";
import { textPattern } from "./glob.ts";
import { pathPattern } from "./path-patterns.ts";
import type { PermissionDecision, PermissionPolicyOptions } from "./policy-types.ts";
import type { CompiledRule } from "./rules.ts";
import { TOOL_KINDS } from "./tool-call-facts.ts";

/** Options ready for use. */
export interface CompiledOptions {
	readonly allow: readonly CompiledRule[];
	readonly deny: readonly CompiledRule[];
	readonly ask: readonly CompiledRule[];
	readonly default: PermissionDecision;
	readonly timeoutMs: number | undefined;
}

const DECISIONS = ["ask", "allow", "deny"] as const satisfies readonly PermissionDecision[];
const OPTIONS = ["allow", "deny", "ask", "default", "timeoutMs"];
const CONDITIONS = ["kind", "path", "command", "tool"];
const MEMBERS = ["name", ...CONDITIONS, "compound"];

/** The longest a timer of the platform can wait. */
const MAX_TIMEOUT_MS = 2_147_483_647;

/** @throws invalid_request that names the option, its value and what to write */
export function compileOptions(options: PermissionPolicyOptions): CompiledOptions {
	// Options come from JSON and from untyped programs, too; a typing error in a rule must not go unnoticed.
	const given: unknown = options;
	if (!isObject(given)) throw invalid("permissions", given, 'pass an object such as { deny: [{ kind: "delete" }] }');
	refuseOthers("permissions", given, OPTIONS);
	const { default: otherwise = "ask", timeoutMs } = given;
	const decision = DECISIONS.find((known) => known === otherwise);
	if (!decision) throw invalid("permissions.default", otherwise, `use ${choice(DECISIONS)}`);
	if (timeoutMs !== undefined && !isTimeout(timeoutMs)) {
		throw invalid(
			"permissions.timeoutMs",
			timeoutMs,
			`use a whole number from 1 to ${MAX_TIMEOUT_MS}, or leave it out`,
		);
	}
	return {
		allow: compileRules("allow", given.allow),
		deny: compileRules("deny", given.deny),
		ask: compileRules("ask", given.ask),
		default: decision,
		timeoutMs,
	};
}

function compileRules(list: PermissionDecision, given: unknown): CompiledRule[] {
	if (given === undefined) return [];
	if (!Array.isArray(given)) throw invalid(`permissions.${list}`, given, "use a list of rules");
	return given.map((rule, index) => compileRule(list, index, rule));
}

function compileRule(list: PermissionDecision, index: number, rule: unknown): CompiledRule {
	const place = `permissions.${list}[${index}]`;
	if (!isObject(rule)) throw invalid(place, rule, 'a rule is an object such as { kind: "read" }');
	refuseOthers(place, rule, MEMBERS);
	const { name, kind, path, command, tool, compound = false } = rule;
	if (CONDITIONS.every((condition) => rule[condition] === undefined)) {
		throw invalid(place, rule, `give it ${choice(CONDITIONS)}; for all other calls there is \`default\``);
	}
	if (name !== undefined && typeof name !== "string") throw invalid(`${place}.name`, name, "use a text");
	if (typeof compound !== "boolean") throw invalid(`${place}.compound`, compound, "use true or false");
	if (compound && (list !== "allow" || command === undefined)) {
		throw invalid(
			`${place}.compound`,
			compound,
			"it goes with `command` in `allow`; the others look at every part anyway",
		);
	}
	return {
		label: `${list}[${index}]${name ? ` (${name})` : ""}`,
		kinds: kind === undefined ? undefined : new Set(compileTexts(`${place}.kind`, kind, toolKind)),
		paths: path === undefined ? undefined : compileTexts(`${place}.path`, path, pathPattern),
		commands: command === undefined ? undefined : compileTexts(`${place}.command`, command, commandPattern),
		tools: tool === undefined ? undefined : compileTexts(`${place}.tool`, tool, namePattern),
		compound,
	};
}

function compileTexts<T>(place: string, given: unknown, compile: (text: string) => T): T[] {
	const texts: unknown[] = Array.isArray(given) ? given : [given];
	if (texts.length === 0) throw invalid(place, given, "leave it out, or name at least one");
	return texts.map((text, index) => {
		const where = Array.isArray(given) ? `${place}[${index}]` : place;
		if (typeof text !== "string" || text.trim() === "") throw invalid(where, text, "use a text that is not empty");
		try {
			return compile(text);
		} catch (error) {
			if (error instanceof SyntaxError) throw invalid(where, text, error.message);
			throw error;
		}
	});
}

function toolKind(text: string): ToolKind {
	const kind = TOOL_KINDS.find((known) => known === text);
	if (!kind) throw new SyntaxError(`use ${choice(TOOL_KINDS)}`);
	return kind;
}

function namePattern(text: string) {
	return { exact: textPattern(text), loose: textPattern(text.toLowerCase()) };
}

function isTimeout(value: unknown): value is number {
	return Number.isInteger(value) && Number(value) >= 1 && Number(value) <= MAX_TIMEOUT_MS;
}

function refuseOthers(place: string, given: object, known: readonly string[]): void {
	const other = Object.keys(given).find((key) => !known.includes(key));
	if (other !== undefined)
		throw invalid(`${place}.${other}`, Reflect.get(given, other), `it is none of ${choice(known)}`);
}

function choice(values: readonly string[]): string {
	return `${values.slice(0, -1).join(", ")} or ${values.at(-1)}`;
}

function invalid(option: string, value: unknown, remedy: string): SandboxAgentError {
	return new SandboxAgentError("invalid_request", `${option} cannot be ${shown(value)}`, { hint: remedy });
}

function shown(value: unknown): string {
	const text = typeof value === "string" || isObject(value) || Array.isArray(value) ? json(value) : String(value);
	return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}

function json(value: unknown): string {
	try {
		return JSON.stringify(value) ?? String(value);
	} catch {
		// A circle, or a big integer: what matters is the name of the option.
		return "a value that JSON does not have";
	}
}
