import { existsSync, mkdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { AgentCapsules } from "../../../src/agents/capsule/agent-capsules.ts";
import type { CapsulePlace } from "../../../src/agents/capsule/capsule-place.ts";
import { until } from "../../support/wait.ts";
import {
	chunkOf,
	fileOf,
	RESULT,
	requestOf,
	restore,
	SESSION,
	TRANSCRIPT,
	treeOf,
	useCapsuleLab,
} from "./capsule-lab.ts";

const lab = useCapsuleLab();

const FILES = { [RESULT]: "a long result", [TRANSCRIPT]: "one\ntwo\n", [`projects/work/${SESSION}/empty`]: "" };

/** The files of a capsule with the folders around them. */
const RESTORED = {
	projects: "folder",
	"projects/work": "folder",
	[`projects/work/${SESSION}`]: "folder",
	[`projects/work/${SESSION}/results`]: "folder",
	...FILES,
};

describe("putting a session back", () => {
	it("makes its files in a home that has nothing, for their user alone", async () => {
		await restore(lab().place, FILES);
		expect(treeOf(lab().root)).toEqual(RESTORED);
		expect(statSync(join(lab().root, TRANSCRIPT)).mode & 0o777).toBe(0o600);
		expect(statSync(lab().root).mode & 0o777).toBe(0o700);
		const { files } = await lab().changes();
		expect(files).toHaveLength(3);
	});

	it("takes chunks in order, and the same one again", async () => {
		const capsules = new AgentCapsules();
		const id = await capsules.begin("mock", lab().place, requestOf({ [TRANSCRIPT]: "one\ntwo\n" }));
		await capsules.put("mock", id, chunkOf(TRANSCRIPT, 0, "one\n"));
		await capsules.put("mock", id, chunkOf(TRANSCRIPT, 4, "two\n"));
		await capsules.put("mock", id, chunkOf(TRANSCRIPT, 4, "two\n"));
		await capsules.put("mock", id, chunkOf(TRANSCRIPT, 0, "one\n"));
		await capsules.commit("mock", id);
		expect(treeOf(lab().root)[TRANSCRIPT]).toBe("one\ntwo\n");
	});

	it("leaves what else lies there alone, and is fine with the same session [agents/capsule-hostile]", async () => {
		lab().write("settings.json", "{}");
		lab().write("projects/work/another.jsonl", "another\n");
		await restore(lab().place, FILES);
		await restore(lab().place, FILES);
		const others = { "settings.json": "{}", "projects/work/another.jsonl": "another\n" };
		expect(treeOf(lab().root)).toEqual({ ...RESTORED, ...others });
	});

	it("is invisible before the commit, and gone without one [agents/capsule-whole]", async () => {
		const capsules = new AgentCapsules();
		const id = await capsules.begin("mock", lab().place, requestOf(FILES));
		await capsules.put("mock", id, chunkOf(TRANSCRIPT, 0, "one\ntwo\n"));
		expect(existsSync(join(lab().root, "projects"))).toBe(false);
		await capsules.abort("mock", id);
		await capsules.abort("mock", id);
		expect(treeOf(lab().root)).toEqual({});
		await expect(capsules.commit("mock", id)).rejects.toMatchObject({ code: "not_found" });
	});

	it("is given up when its client falls silent, and when the server closes [agents/capsule-whole]", async () => {
		const idle = new AgentCapsules({ idleMs: 20 });
		await idle.begin("mock", lab().place, requestOf(FILES));
		expect(Object.keys(treeOf(lab().root))).toHaveLength(1);
		await until(() => Object.keys(treeOf(lab().root)).length === 0);
		const closing = new AgentCapsules();
		const id = await closing.begin("mock", lab().place, requestOf(FILES));
		await closing.put("mock", id, chunkOf(TRANSCRIPT, 0, "one\n"));
		await closing.close();
		expect(treeOf(lab().root)).toEqual({});
	});

	it("clears away what a killed server has left, and no other's work [agents/capsule-whole]", async () => {
		lab().write(".sandbox-agent-restore-999999999.0123456789abcdef.left/0", "half a file");
		lab().write(`.sandbox-agent-restore-${process.pid}.0123456789abcdef.left/0`, "of an earlier process");
		const capsules = new AgentCapsules();
		const running = await capsules.begin("mock", lab().place, requestOf(FILES));
		expect(Object.keys(treeOf(lab().root))).toHaveLength(1);
		await restore(lab().place, FILES);
		await capsules.put("mock", running, chunkOf(TRANSCRIPT, 0, "one\n"));
		await capsules.close();
		expect(treeOf(lab().root)).toEqual(RESTORED);
	});

	it("is known only to the agent it was begun for", async () => {
		const capsules = new AgentCapsules();
		const id = await capsules.begin("claude", lab().place, requestOf(FILES));
		await expect(capsules.put("codex", id, chunkOf(TRANSCRIPT, 0, "one\n"))).rejects.toThrow("no restore");
		await capsules.abort("codex", id);
		await capsules.put("claude", id, chunkOf(TRANSCRIPT, 0, "one\n"));
		await capsules.close();
	});
});

describe("a restore refuses", () => {
	async function begin(files: Record<string, string>, more: object = {}, place: CapsulePlace = lab().place) {
		const capsules = new AgentCapsules({ maxBytes: 100, maxRestores: 2 });
		try {
			await capsules.begin("mock", place, { ...requestOf(files), ...more });
		} finally {
			await capsules.close();
		}
	}

	it("the files of another version of the adapter [agents/capsule-version]", async () => {
		await expect(begin(FILES, { adapterVersion: "stand-in@1.0.1" })).rejects.toMatchObject({
			code: "capsule_mismatch",
			status: 409,
			detail: "the capsule was written by stand-in@1.0.1, the agent here is stand-in@1.0.0",
		});
	});

	it.each([
		"../outside.jsonl",
		"/etc/passwd",
		`projects/../${SESSION}.jsonl`,
		`projects/work/${SESSION}/../../../settings.json`,
		"settings.json",
		"projects/work/another.jsonl",
		"",
	])("the path %j [agents/capsule-hostile]", async (path) => {
		await expect(begin({ ...FILES, [path]: "x" })).rejects.toMatchObject({ code: "capsule_invalid", status: 422 });
		expect(treeOf(lab().folder)).toEqual({});
	});

	it("a capsule without the session itself, and a file that is named twice", async () => {
		await expect(begin({})).rejects.toMatchObject({ code: "capsule_invalid" });
		await expect(begin({ [RESULT]: "x" })).rejects.toMatchObject({ code: "capsule_invalid" });
		const twice = [fileOf(TRANSCRIPT, "one\n"), fileOf(TRANSCRIPT, "two\n")];
		await expect(begin({}, { files: twice })).rejects.toMatchObject({ code: "capsule_invalid" });
	});

	it("more than it may hold, and more restores than may be under way [agents/capsule-bounded]", async () => {
		const large = { [TRANSCRIPT]: "x".repeat(60), [RESULT]: "x".repeat(41) };
		await expect(begin(large)).rejects.toMatchObject({ code: "capsule_too_large", status: 413 });
		const capsules = new AgentCapsules({ maxRestores: 2 });
		const begun = await Promise.allSettled([1, 2, 3].map(() => capsules.begin("mock", lab().place, requestOf(FILES))));
		expect(begun.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "rejected"]);
		expect(begun[2]).toMatchObject({ reason: { code: "queue_full" } });
		await capsules.close();
		expect(treeOf(lab().root)).toEqual({});
	});

	it.each([
		["a hole", [chunkOf(TRANSCRIPT, 4, "two\n")]],
		["more than the file has", [chunkOf(TRANSCRIPT, 0, "one\ntwo\nthree\n")]],
		["a file it was not told of", [chunkOf(RESULT, 0, "x")]],
		["too little", [chunkOf(TRANSCRIPT, 0, "one\n")]],
		["nothing", []],
		["another end", [chunkOf(TRANSCRIPT, 0, "one\nTWO\n")]],
	])("%s, and leaves nothing [agents/capsule-whole]", async (_, chunks) => {
		const capsules = new AgentCapsules();
		const id = await capsules.begin("mock", lab().place, requestOf({ [TRANSCRIPT]: "one\ntwo\n" }));
		const send = async () => {
			for (const chunk of chunks) await capsules.put("mock", id, chunk);
			await capsules.commit("mock", id);
		};
		await expect(send()).rejects.toMatchObject({ code: "capsule_invalid", status: 422 });
		await capsules.close();
		expect(treeOf(lab().root)).toEqual({});
	});

	it("pieces out of place at once, also far from the end that is compared [agents/capsule-whole]", async () => {
		const content = "0123456789abcde\n".repeat(1000);
		const capsules = new AgentCapsules();
		const id = await capsules.begin("mock", lab().place, requestOf({ [TRANSCRIPT]: content }));
		const hole = capsules.put("mock", id, chunkOf(TRANSCRIPT, 8000, content.slice(8000)));
		await expect(hole).rejects.toMatchObject({ code: "capsule_invalid" });
		const beyond = capsules.put("mock", id, chunkOf(TRANSCRIPT, 0, `${content}x`));
		await expect(beyond).rejects.toMatchObject({ code: "capsule_invalid" });
		await capsules.close();
	});

	it("to replace a session that is there, and takes back what it has put in place [agents/capsule-hostile]", async () => {
		lab().write(TRANSCRIPT, "one\ntwo\nthree\n");
		await expect(begin(FILES)).rejects.toMatchObject({ code: "conflict", status: 409 });
		// Of the same size, it is noticed at the commit, behind the other files.
		lab().write(TRANSCRIPT, "ONE\nTWO\n");
		const before = treeOf(lab().root);
		await expect(restore(lab().place, FILES)).rejects.toMatchObject({ code: "conflict" });
		expect(treeOf(lab().root)).toEqual(before);
	});

	it("links on the way and in the place of a file [agents/capsule-hostile]", async () => {
		const outside = join(lab().folder, "outside");
		mkdirSync(outside);
		mkdirSync(join(lab().root, "projects"), { recursive: true });
		symlinkSync(outside, join(lab().root, "projects/work"));
		await expect(restore(lab().place, FILES)).rejects.toMatchObject({ code: "conflict" });
		writeFileSync(join(outside, "target"), "");
		mkdirSync(join(lab().root, "projects/other"));
		const path = `projects/other/${SESSION}.jsonl`;
		symlinkSync(join(outside, "target"), join(lab().root, path));
		await expect(restore(lab().place, { [path]: "one\n" })).rejects.toMatchObject({ code: "conflict" });
		expect(treeOf(outside)).toEqual({ target: "" });
	});

	it("a link that appears between the check and the commit [agents/capsule-hostile]", async () => {
		const outside = join(lab().folder, "outside");
		mkdirSync(outside);
		const capsules = new AgentCapsules();
		const id = await capsules.begin("mock", lab().place, requestOf({ [TRANSCRIPT]: "one\n" }));
		await capsules.put("mock", id, chunkOf(TRANSCRIPT, 0, "one\n"));
		symlinkSync(outside, join(lab().root, "projects"));
		await expect(capsules.commit("mock", id)).rejects.toMatchObject({ code: "conflict" });
		expect(treeOf(outside)).toEqual({});
		expect(treeOf(lab().root)).toEqual({ projects: "other" });
	});

	it("nothing of a root that is itself a link: that is its user's own arrangement", async () => {
		const volume = join(lab().folder, "volume");
		mkdirSync(volume);
		mkdirSync(join(lab().folder, "home"));
		symlinkSync(volume, lab().root);
		await restore(lab().place, FILES);
		expect(treeOf(volume)).toEqual(RESTORED);
	});
});
