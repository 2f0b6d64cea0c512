import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compilePolicy } from "../../../src/sessions/permission-policy.ts";
import type { PermissionRule } from "../../../src/sessions/policy/policy-types.ts";
import { TOOL_KINDS } from "../../../src/sessions/policy/tool-call-facts.ts";
import { hostile } from "./requests.ts";

/** Few words, so that rules and calls often meet. */
const word = fc.constantFrom("a", "b", "A", ".env", "src", "rm", "npm", "test", "..", ".", "~", "x y", "é", "e\u0301");
const joint = fc.constantFrom(
	" ",
	"  ",
	" && ",
	"; ",
	" | ",
	";",
	"\n",
	" > ",
	" $(",
	"`",
	"\t",
	"\\",
	"'",
	'"',
	"\u00a0",
	"{",
);
const line = fc
	.array(fc.tuple(word, fc.oneof({ weight: 3, arbitrary: fc.constant(" ") }, joint)), { minLength: 1, maxLength: 6 })
	.map((pairs) => pairs.flat().join("").trim())
	.chain((text) => fc.constantFrom(text, text, `bash -lc '${text}'`, `sh -c "${text}"`));
const path = fc
	.tuple(fc.constantFrom("", "/", "/work/", "~/", "./", "../", "C:/"), fc.array(word, { maxLength: 4 }))
	.map(([root, words]) => root + words.join("/"));

const wildcard = (text: string) =>
	fc.tuple(fc.nat(text.length), fc.nat(text.length)).map(([one, other]) => {
		const [start, end] = [Math.min(one, other), Math.max(one, other)];
		return `${text.slice(0, start)}*${text.slice(end)}`;
	});
const commandPattern = fc.oneof(line, line.chain(wildcard)).filter((text) => text.trim() !== "");
const pathPattern = fc
	.tuple(
		fc.constantFrom("", "/", "~/", "../"),
		fc.array(fc.oneof(word, fc.constantFrom("*", "**", "?", ".*")), { maxLength: 4 }),
	)
	.map(([root, segments]) => root + segments.join("/"))
	.filter((pattern) => isAccepted({ path: pattern }));
const name = fc.constantFrom("Bash", "bash", "mcp__a__b", "mcp__a__c");
const kind = fc.constantFrom(...TOOL_KINDS);

const rule: fc.Arbitrary<PermissionRule> = fc
	.record(
		{
			kind: fc.uniqueArray(kind, { minLength: 1, maxLength: 10 }),
			path: fc.array(pathPattern, { minLength: 1, maxLength: 3 }),
			command: fc.array(commandPattern, { minLength: 1, maxLength: 3 }),
			tool: fc.array(fc.oneof(name, name.chain(wildcard)), { minLength: 1, maxLength: 2 }),
		},
		{ requiredKeys: [] },
	)
	.filter((conditions) => Object.keys(conditions).length > 0);

const toolCall = fc.record(
	{
		kind: fc.oneof({ weight: 4, arbitrary: kind }, { weight: 1, arbitrary: fc.constantFrom("run", null, 5) }),
		title: line,
		name,
		locations: fc.array(fc.record({ path }), { maxLength: 2 }),
		content: fc.constantFrom([], [{ type: "diff", path: "src/a", newText: "" }]),
		rawInput: fc.record(
			{
				command: fc.oneof(line, fc.array(fc.oneof(word, line), { maxLength: 4 })),
				cwd: path,
				file_path: path,
				target: path,
			},
			{ requiredKeys: [] },
		),
	},
	{ requiredKeys: [] },
);

function isAccepted(candidate: PermissionRule): boolean {
	try {
		compilePolicy({ deny: [candidate] });
		return true;
	} catch {
		return false;
	}
}

const decide = (options: Parameters<typeof compilePolicy>[0], call: unknown, cwd = "/work") =>
	compilePolicy(options).decide({ toolCall: hostile(call) }, { cwd });

/** A rule that covers the call, made from the call itself. */
const covering = toolCall.chain((call) => {
	const command = call.rawInput?.command;
	return fc.tuple(
		fc.constant(call),
		fc.record(
			{
				kind: fc.constant([...TOOL_KINDS]),
				path: pathPattern.map((pattern) => [pattern, "**", "**/.*/**", "/**", "~/**"]),
				command: fc.constant(typeof command === "string" ? command : "*").chain((text) => {
					const pattern = text.trim() === "" ? "*" : text;
					return fc.oneof(
						fc.constant([pattern]),
						wildcard(pattern).map((other) => [other]),
					);
				}),
			},
			{ requiredKeys: ["kind"] },
		),
		fc.boolean(),
	);
});

describe("for any rules and calls", () => {
	it("what a rule allows, the same rule denies [sdk-policy-strict]", () => {
		let allowed = 0;
		const check = (call: unknown, conditions: PermissionRule, compound: boolean) => {
			const isCompound = compound && conditions.command !== undefined;
			const verdict = decide({ allow: [isCompound ? { ...conditions, compound } : conditions] }, call);
			if (verdict.decision !== "allow") return;
			allowed++;
			expect(decide({ deny: [conditions], default: "allow" }, call).decision).toBe("deny");
		};
		fc.assert(fc.property(toolCall, rule, fc.boolean(), check), { numRuns: 3_000 });
		fc.assert(
			fc.property(covering, ([call, conditions, compound]) => check(call, conditions, compound)),
			{ numRuns: 6_000 },
		);
		expect(allowed).toBeGreaterThan(500);
	});

	it("a call that a deny rule is about is denied, and one it may be about is not allowed [sdk-policy-order]", () => {
		fc.assert(
			fc.property(toolCall, rule, rule, rule, (call, deny, ask, allow) => {
				const alone = decide({ deny: [deny], default: "allow" }, call).decision;
				const together = decide({ deny: [deny], ask: [ask], allow: [allow], default: "allow" }, call).decision;
				if (alone !== "allow") expect(together).not.toBe("allow");
				if (alone === "deny") expect(together).toBe("deny");
				expect(decide({ ask: [ask], allow: [allow] }, call).decision).not.toBe("deny");
			}),
			{ numRuns: 3_000 },
		);
	});

	it("one more rule against something never allows more", () => {
		fc.assert(
			fc.property(toolCall, fc.array(rule, { maxLength: 2 }), rule, rule, (call, deny, more, allow) => {
				const before = decide({ deny, allow: [allow] }, call).decision;
				const after = decide({ deny: [...deny, more], allow: [allow] }, call).decision;
				if (after === "allow") expect(before).toBe("allow");
			}),
			{ numRuns: 2_000 },
		);
	});

	it("nothing that is sent makes a decision fail [sdk-policy-total]", () => {
		fc.assert(
			fc.property(fc.anything({ maxDepth: 4 }), fc.string(), rule, rule, (anything, cwd, one, other) => {
				const calls = [anything, { kind: "execute", rawInput: anything, locations: anything, content: anything }];
				for (const call of [
					...calls,
					{ kind: anything, rawInput: { command: anything, path: anything }, _meta: anything },
				]) {
					const { decision } = decide({ deny: [one], allow: [other] }, call, cwd);
					expect(["allow", "deny", "ask"]).toContain(decision);
				}
			}),
			{ numRuns: 2_000 },
		);
	});

	it("a second command, in whatever way it is added, is not allowed by a pattern for the first [sdk-policy-command]", () => {
		const glue = fc.constantFrom(
			";",
			"&&",
			"||",
			"|",
			"&",
			"\n",
			"\r\n",
			"$(",
			"`",
			"<(",
			">",
			">>",
			"|&",
			";;",
			"\u2028",
		);
		const space = fc.constantFrom("", " ", "  ");
		fc.assert(
			fc.property(glue, space, space, fc.constantFrom("", "'", '"'), (operator, before, after, quote) => {
				const command = `npm test${before}${quote}${operator}${after}rm x${quote}`;
				const call = { kind: "execute", rawInput: { command } };
				expect(decide({ allow: [{ command: ["npm test", "npm test*"] }] }, call).decision).toBe("ask");
				expect(decide({ deny: [{ command: "rm *" }], default: "allow" }, call).decision).not.toBe("allow");
			}),
		);
	});
});
