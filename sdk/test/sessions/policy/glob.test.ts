import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { matchesSequence, matchesText, textPattern } from "../../../src/sessions/policy/glob.ts";

/** What a pattern means, as a regular expression: right for short texts, and too slow to be let near long ones. */
function asExpression(pattern: string): RegExp {
	const source = pattern.replaceAll(/\*|\?|[^*?]/gu, (part) => {
		if (part === "*") return "[^]*";
		return part === "?" ? "[^]" : part.replace(/[.+^$()|[\]{}\\/-]/, "\\$&");
	});
	return new RegExp(`^${source}$`);
}

describe("patterns of text", () => {
	const text = (letters: string) => fc.string({ unit: fc.constantFrom(...letters), maxLength: 12 });

	it("match what their regular expression matches", () => {
		fc.assert(
			fc.property(text("ab*?."), text("ab."), (pattern, subject) => {
				expect(matchesText(textPattern(pattern), subject)).toBe(asExpression(pattern).test(subject));
			}),
			{ numRuns: 2_000 },
		);
	});

	it("take a character behind a backslash as itself", () => {
		expect(matchesText(textPattern("a\\*\\?\\\\"), "a*?\\")).toBe(true);
		expect(matchesText(textPattern("a\\*"), "ab")).toBe(false);
		expect(matchesText(textPattern("a\\"), "a\\")).toBe(true);
	});

	it("cost no more than length times length, whatever the text [sdk-policy-bounded]", () => {
		let steps = 0;
		const [pattern, subject] = ["*a".repeat(20), "a".repeat(2_000)];
		const isMatch = matchesSequence<string, string>([...pattern, "b"], subject, {
			isRun: (part) => part === "*",
			matches: (part, element) => {
				steps++;
				return part === element;
			},
		});
		expect(isMatch).toBe(false);
		expect(steps).toBeLessThan(pattern.length * subject.length);
	});
});

describe("runs that may not contain everything", () => {
	/** All ways, tried one by one. */
	function matchesSlowly(pattern: readonly string[], elements: readonly string[]): boolean {
		const [part, ...rest] = pattern;
		if (part === undefined) return elements.length === 0;
		const [element, ...others] = elements;
		if (part !== "**") return part === element && matchesSlowly(rest, others);
		if (matchesSlowly(rest, elements)) return true;
		return element !== undefined && !element.startsWith(".") && matchesSlowly(pattern, others);
	}

	it("match as if all ways were tried", () => {
		const segments = fc.array(fc.constantFrom("a", "b", ".c"), { maxLength: 8 });
		const patterns = fc.array(fc.constantFrom("a", "b", ".c", "**"), { maxLength: 8 });
		fc.assert(
			fc.property(patterns, segments, (pattern, elements) => {
				const isMatch = matchesSequence(pattern, elements, {
					isRun: (part) => part === "**",
					matches: (part, element) => part === element,
					contains: (element) => !element.startsWith("."),
				});
				expect(isMatch).toBe(matchesSlowly(pattern, elements));
			}),
			{ numRuns: 3_000 },
		);
	});
});
