import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const read = (path: string) => readFileSync(join(root, path), "utf8");

describe("the README", () => {
	it("shows the quickstart exactly as it is run", () => {
		const [, code] = /```ts\n([\s\S]*?)```/.exec(read("README.md")) ?? [];
		expect(code).toBe(read("examples/quickstart/quickstart.ts"));
	});
});

describe("the documentation", () => {
	const pages = ["*.md", "docs/**/*.md"].flatMap((pattern) => globSync(pattern, { cwd: root }));

	it.each(pages)("%s links to files that exist", (page) => {
		const links = [...read(page).matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g)].map((match) => match[1] ?? "");
		expect(links.filter((link) => !existsSync(join(root, dirname(page), link)))).toEqual([]);
	});
});
