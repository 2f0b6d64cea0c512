import type { PermissionOption, RequestPermissionResponse } from "@agentclientprotocol/sdk";
import type { SessionPermissionRequest } from "./permission-types.ts";
import { compileOptions } from "./policy/compile-options.ts";
import type { PermissionPolicyOptions, PolicyVerdict } from "./policy/policy-types.ts";
import { covers, touches } from "./policy/rules.ts";
import { readToolCall, type ToolCallFacts } from "./policy/tool-call-facts.ts";

/** Answers the questions of agents by rules. */
export interface PermissionPolicy {
	/** How long people are waited for, in milliseconds; `undefined` for no limit. */
	readonly timeoutMs: number | undefined;
	/**
	 * Decides about one question. Does not throw, whatever the agent sent, and has no effect.
	 *
	 * @param context.cwd the session's directory, absolute
	 */
	decide(request: Pick<SessionPermissionRequest, "toolCall">, context: { cwd: string }): PolicyVerdict;
}

/**
 * Makes a policy of its rules.
 *
 * A policy reads what agents say about their tool calls. It saves people questions and stops accidents; it is not a
 * sandbox, and does not hold an agent that lies.
 *
 * @throws invalid_request that names the option, its value and what to write
 */
export function compilePolicy(options: PermissionPolicyOptions): PermissionPolicy {
	const { allow, deny, ask, default: otherwise, timeoutMs } = compileOptions(options);

	/** Why a call must not be waved through although no rule speaks against it. */
	function doubtAbout(facts: ToolCallFacts): PolicyVerdict | undefined {
		if (!facts.isComplete) {
			return { decision: "ask", reason: "the tool call is too large, or not of the protocol's shape, to be judged" };
		}
		const rule = [...deny, ...ask].find((candidate) => touches(candidate, facts) === "unknown")?.label;
		return rule === undefined
			? undefined
			: { decision: "ask", rule, reason: `the tool call does not tell whether ${rule} is about it` };
	}

	function decide(facts: ToolCallFacts): PolicyVerdict {
		for (const [decision, rules] of [["deny", deny] as const, ["ask", ask] as const]) {
			const rule = rules.find((candidate) => touches(candidate, facts) === "yes")?.label;
			if (rule) return { decision, rule, reason: `${rule} is about this tool call` };
		}
		const rule = allow.find((candidate) => covers(candidate, facts))?.label;
		if (rule || otherwise === "allow") {
			const doubt = doubtAbout(facts);
			if (doubt) return doubt;
		}
		if (rule) return { decision: "allow", rule, reason: `${rule} covers this tool call` };
		return { decision: otherwise, reason: `no rule is about this tool call, and the default is ${otherwise}` };
	}

	return { timeoutMs, decide: ({ toolCall }, { cwd }) => decide(readToolCall(toolCall, cwd)) };
}

const REFUSALS = ["reject_once", "reject_always"] as const satisfies readonly PermissionOption["kind"][];

/**
 * The answer that a verdict stands for; `undefined` when people have to be asked. A yes is for this once: an agent that is
 * told "always" does not ask again, and what it then does no rule sees. Where that is not offered, people are asked.
 */
export function policyResponse(
	{ decision }: Pick<PolicyVerdict, "decision">,
	{ options }: Pick<SessionPermissionRequest, "options">,
): RequestPermissionResponse | undefined {
	if (decision === "ask") return undefined;
	const kinds: readonly PermissionOption["kind"][] = decision === "allow" ? ["allow_once"] : REFUSALS;
	const option = kinds
		.map((kind) => options.find((candidate) => candidate.kind === kind))
		.find((candidate) => candidate !== undefined);
	if (option) return { outcome: { outcome: "selected", optionId: option.optionId } };
	return decision === "deny" ? { outcome: { outcome: "cancelled" } } : undefined;
}
