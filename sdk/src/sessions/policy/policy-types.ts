import type { ToolKind } from "@agentclientprotocol/sdk";

/** What happens to a question of an agent: it is answered with yes or no, or people are asked. */
export type PermissionDecision = "allow" | "deny" | "ask";

/**
 * What one rule speaks about. All conditions that are given must hold; of a list, one entry is enough. A rule without any
 * condition is an error.
 */
export interface PermissionRule {
	/** Stands in the audit beside the rule's place, such as `deny[0] (secrets)`. */
	name?: string | undefined;
	/** Kinds of tools, as the protocol names them. A call without a kind, or with an unknown one, is `other`. */
	kind?: ToolKind | readonly ToolKind[] | undefined;
	/**
	 * Patterns of the paths a call touches: `*` and `?` within a segment, `**` for any number of segments, `\` before a
	 * character that means itself. Relative ones lie in the session's directory, `~/` in a home directory.
	 */
	path?: string | readonly string[] | undefined;
	/** Patterns of the whole command line: `*` for any text, `?` for one character, `\*` for a star. */
	command?: string | readonly string[] | undefined;
	/** Patterns of the tool's name where the agent tells it, such as `mcp__github__*`. */
	tool?: string | readonly string[] | undefined;
	/**
	 * For `allow` with `command`: also commands joined by `&&`, `||`, `;`, `|` or a new line, if each of them matches.
	 *
	 * @default false
	 */
	compound?: boolean | undefined;
}

/** Permissions as code. `deny` beats `ask`, `ask` beats `allow`, and `default` is for what no rule speaks about. */
export interface PermissionPolicyOptions {
	allow?: readonly PermissionRule[] | undefined;
	deny?: readonly PermissionRule[] | undefined;
	ask?: readonly PermissionRule[] | undefined;
	/** @default "ask" */
	default?: PermissionDecision | undefined;
	/** How long people are waited for, in milliseconds; when it has passed, the answer is no. @default no limit */
	timeoutMs?: number | undefined;
}

/** A decision and why it was made. */
export interface PolicyVerdict {
	readonly decision: PermissionDecision;
	/** The rule that decided, such as `deny[0]`; absent when none did. */
	readonly rule?: string;
	/** One sentence for people. */
	readonly reason: string;
}
