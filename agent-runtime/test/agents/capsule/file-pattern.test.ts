import { describe, expect, it } from "vitest";
import { capsuleRoot } from "../../../src/agents/capsule/capsule-place.ts";
import { filePatterns, matchesPattern } from "../../../src/agents/capsule/file-pattern.ts";
import { AGENT_DEFINITIONS, agentDefinition } from "../../../src/agents/definitions/index.ts";

const ID = "2df6ba92-b600-464f-a6ed-62d8689624f1";
const layouts = AGENT_DEFINITIONS.flatMap(({ id, capsule }) => (capsule?.kind === "files" ? [{ id, ...capsule }] : []));

function belongs(agent: "claude" | "codex" | "pi", path: string): boolean {
	const layout = agentDefinition(agent).capsule;
	return layout?.kind === "files" && filePatterns(layout.files, ID).some((pattern) => matchesPattern(pattern, path));
}

describe("the files of a session", () => {
	it("are those the agent writes about it [agents/capsule-only-session]", () => {
		expect(belongs("claude", `projects/-work/${ID}.jsonl`)).toBe(true);
		expect(belongs("claude", `projects/-work/${ID}/tool-results/bojnzilxc.txt`)).toBe(true);
		expect(belongs("codex", `sessions/2026/11/20/rollout-2026-11-20T11-56-17-${ID}.jsonl`)).toBe(true);
		expect(belongs("pi", `sessions/--work--/2026-11-20T11-56-17-000Z_${ID}.jsonl`)).toBe(true);
	});

	it.each([
		"",
		"/",
		`/projects/-work/${ID}.jsonl`,
		`projects//${ID}.jsonl`,
		`projects/../${ID}.jsonl`,
		`projects/./${ID}.jsonl`,
		`./projects/-work/${ID}.jsonl`,
		`projects/-work/../../${ID}.jsonl`,
		`projects/-work/${ID}/..`,
		`projects/-work/${ID}/../../../.credentials.json`,
		`projects/-work/${ID}/`,
		`projects/-work/${ID}`,
		`projects\\-work\\${ID}.jsonl`,
		`projects/..\\..\\x/${ID}.jsonl`,
		`projects/-work/${ID}.jsonl\0`,
		`projects/-work/${ID}.jsonl\n`,
		`projects/-work/x/${ID}.jsonl`,
		`projects/-work/${ID}xjsonl`,
		"projects/-work/another.jsonl",
		".credentials.json",
		"settings.json",
		"sessions/29011.json",
	])("are not %j [agents/capsule-hostile]", (path) => {
		expect(belongs("claude", path)).toBe(false);
	});

	it.each(["auth.json", `shell_snapshots/${ID}.sh`, `sessions/2026/rollout-x-${ID}.jsonl`])(
		"of codex are not %s",
		(path) => {
			expect(belongs("codex", path)).toBe(false);
		},
	);

	it.each(layouts)("of $id are named by the session in every pattern [agents/capsule-only-session]", ({ files }) => {
		for (const pattern of files) {
			expect(pattern).toContain("{session}");
			expect(pattern).not.toMatch(/^\/|\.\.|\*\*./);
		}
		// The name of a folder is what a wildcard is: the session has to be in it, or in the file's.
		expect(files[0]).toMatch(/\{session\}[^/]*$/);
	});
});

describe("the root of an agent", () => {
	const root = { variable: "STAND_IN_HOME", home: ".stand-in" };

	it("is what its variable says, else in its home", () => {
		expect(capsuleRoot(root, { STAND_IN_HOME: "/somewhere", HOME: "/home/agent" }, "/root")).toBe("/somewhere");
		expect(capsuleRoot(root, { STAND_IN_HOME: "", HOME: "/home/agent" }, "/root")).toBe("/home/agent/.stand-in");
		expect(capsuleRoot(root, {}, "/root")).toBe("/root/.stand-in");
	});
});
