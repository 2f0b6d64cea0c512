import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { connectMockAgent } from "../../../src/agents/mock/in-process.ts";
import { findWord } from "../../../src/agents/mock/word.ts";
import { MOCK_WORDS, usageOf } from "../../../src/agents/mock/words/index.ts";
import { TestClient } from "../support/acp-client.ts";

const documentation = readFileSync(new URL("../../../../docs/agents/mock.md", import.meta.url), "utf8");

describe("words of the mock agent", () => {
	it("keep the words that were always documented", () => {
		expect(MOCK_WORDS.map(({ name }) => name)).toEqual(
			expect.arrayContaining(["demo", "markdown", "permission", "help"]),
		);
	});

	it("[mock/documented-words] are the same in help and in the documentation, with the same descriptions", async () => {
		const client = new TestClient(connectMockAgent());
		await client.initialize();
		const { sessionId } = await client.newSession("/");
		await client.prompt(sessionId, "help");
		const help = [...client.text(sessionId).matchAll(/^- `(.+)`: (.+)$/gm)].map(([, usage, text]) => [usage, text]);
		await client.close();
		const documented = [...documentation.matchAll(/^\| `(.+?)` \| (.+) \|$/gm)].map(([, usage, text]) => [
			usage?.replaceAll("\\|", "|"),
			text,
		]);
		expect(help).toEqual(MOCK_WORDS.map((word) => [usageOf(word), word.description]));
		expect(documented).toEqual(help);
	});

	it.each([
		["slow", "slow"],
		["slow 20", "slow"],
		["slow down", undefined],
		["flood 10 20", "flood"],
		["flood", undefined],
		["write a.txt some text", "write"],
		["write a.txt", undefined],
		["write a story", "write"],
		["plan a party", undefined],
		["", undefined],
	])("finds in %j the word %j", (prompt, name) => {
		expect(findWord(MOCK_WORDS, prompt)?.word.name).toBe(name);
	});
});
