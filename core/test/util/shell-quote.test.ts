import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { shellQuote } from "../../src/util/index.ts";

/** The words as a real shell passes them on. */
function throughShell(words: string[]): string[] {
	const command = `printf '%s\\0' ${words.map(shellQuote).join(" ")}`;
	return execFileSync("/bin/sh", ["-c", command], { encoding: "utf8" }).split("\0").slice(0, -1);
}

describe("shellQuote", () => {
	it("leaves plain words readable", () => {
		expect(shellQuote("/usr/bin/node")).toBe("/usr/bin/node");
		expect(shellQuote("--port=0")).toBe("--port=0");
	});

	it("keeps what a shell would interpret", () => {
		const words = [
			"",
			" ",
			"it's",
			"a b",
			"$HOME",
			"`id`",
			"$(id)",
			"\\",
			'"',
			"*",
			"~",
			"a\nb",
			"-n",
			"#",
			";",
			"é😀",
			"!!",
		];
		expect(throughShell(words)).toEqual(words);
	});

	it("keeps any text without NUL", () => {
		const word = fc.string({ unit: "binary" }).filter((text) => !text.includes("\0"));
		fc.assert(
			fc.property(fc.array(word, { minLength: 1, maxLength: 20 }), (words) => {
				expect(throughShell(words)).toEqual(words);
			}),
			{ numRuns: 40 },
		);
	});
});
