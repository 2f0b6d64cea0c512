import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { AREAS, REQUIREMENTS } from "./requirements.ts";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const citation = new RegExp(`\\[((?:${AREAS.join("|")})[/-][a-z0-9-]+)\\]`, "g");

/** Ids cited in a text, as `[id]`. */
function citationsIn(text: string): string[] {
	return [...text.matchAll(citation)].map((match) => match[1] ?? "");
}

/** Every cited id with the files that cite it. */
function citedIds(): Map<string, string[]> {
	const cited = new Map<string, string[]>();
	const files = globSync(["{core,providers,agent-runtime,sdk,test,bench}/**/*.test.ts", "test/lanes/*.mjs"], {
		cwd: root,
		exclude: ["**/node_modules/**", "**/dist/**", "test/requirements.test.ts"],
	});
	for (const file of files) {
		for (const id of citationsIn(readFileSync(join(root, file), "utf8"))) {
			cited.set(id, [...(cited.get(id) ?? []), file]);
		}
	}
	return cited;
}

describe("the list of requirements", () => {
	const ids = REQUIREMENTS.map((requirement) => requirement.id);
	const cited = citedIds();

	it("names every promise once, in a known area, with a sentence", () => {
		expect(ids.filter((id, index) => ids.indexOf(id) !== index)).toEqual([]);
		for (const { id, sentence } of REQUIREMENTS) {
			expect(citationsIn(`[${id}]`)).toEqual([id]);
			expect(sentence).toMatch(/^[A-Za-z].{20,}\.$/);
		}
	});

	it("has a test for every promise", () => {
		expect(ids.filter((id) => !cited.has(id))).toEqual([]);
	});

	it("knows every id that a test cites", () => {
		const unknown = [...cited].filter(([id]) => !ids.includes(id)).map(([id, files]) => `${id} (${files.join(", ")})`);
		expect(unknown).toEqual([]);
	});
});
