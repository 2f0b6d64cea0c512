import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Paper } from "../../../examples/start/paper.ts";
import { sheet } from "./support.ts";

/** The text as it looks when it comes in the given pieces. */
function written(pieces: readonly string[], columns = 20, margin = 0): string {
	const out = sheet();
	const paper = new Paper({ write: out.write, columns, margin });
	for (const piece of pieces) paper.text(piece);
	paper.endLine();
	return out.text;
}

describe("Paper", () => {
	it("wraps at words, one column before the edge", () => {
		expect(written(["The quick brown fox jumps over the lazy dog"])).toBe(
			"The quick brown fox\njumps over the lazy\ndog\n",
		);
	});

	it("puts the margin before every line", () => {
		expect(written(["The quick brown fox"], 20, 2)).toBe("  The quick brown\n  fox\n");
	});

	it("keeps line breaks and indentation, and one blank line of several", () => {
		expect(written(["a\n  b\n\n\n\nc\n"])).toBe("a\n  b\n\nc\n");
	});

	it("lets the lines of a list item stand under its text", () => {
		expect(written(["  - one two three four five"])).toBe("  - one two three\n    four five\n");
		expect(written(["12. one two three four"])).toBe("12. one two three\n    four\n");
		expect(written(["one two three four five"])).toBe("one two three four\nfive\n");
	});

	it("leaves a word that is longer than the line whole", () => {
		expect(written(["see https://example.com/a/long/address there"])).toBe(
			"see\nhttps://example.com/a/long/address\nthere\n",
		);
	});

	it("counts wide characters as two columns and styles as none", () => {
		expect(written(["漢字漢字 漢字漢字 漢字"])).toBe("漢字漢字 漢字漢字\n漢字\n");
		expect(written(["\u001b[31mred\u001b[39m ".repeat(6)])).not.toMatch(/\n.*\n.*\n/);
	});

	it("looks the same however the text is cut into pieces", () => {
		const text = fc.stringMatching(/^([a-z]{1,12}( {1,2}|\n))*$/);
		fc.assert(
			fc.property(text, fc.array(fc.nat(8)), (whole, cuts) => {
				const pieces: string[] = [];
				let rest = whole;
				for (const cut of cuts) {
					pieces.push(rest.slice(0, cut));
					rest = rest.slice(cut);
				}
				expect(written([...pieces, rest])).toBe(written([whole]));
			}),
		);
	});

	it("never writes beyond the last column but one, where the words allow it", () => {
		fc.assert(
			fc.property(fc.stringMatching(/^([a-z]{1,12} )*$/), fc.integer({ min: 20, max: 60 }), (text, columns) => {
				for (const line of written([text], columns).split("\n")) expect(line.length).toBeLessThan(columns);
			}),
		);
	});
});
