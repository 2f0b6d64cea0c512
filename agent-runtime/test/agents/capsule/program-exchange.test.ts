import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { AgentCapsules } from "../../../src/agents/capsule/agent-capsules.ts";
import type { CapsulePlace } from "../../../src/agents/capsule/capsule-place.ts";
import { ProgramExchange } from "../../../src/agents/capsule/program-exchange.ts";
import { agentDefinition } from "../../../src/agents/definitions/index.ts";
import { until } from "../../support/wait.ts";
import { chunkOf, requestOf, SESSION, treeOf, useCapsuleLab } from "./capsule-lab.ts";

const lab = useCapsuleLab();
const NAME = `${SESSION}.json`;
const CONTENT = JSON.stringify({ info: { id: SESSION }, messages: [{ info: { sessionID: SESSION, id: "m" } }] });

/** An agent that keeps its sessions where nobody else looks, and whose program writes and reads them. */
function place(): CapsulePlace {
	const layout = agentDefinition("opencode").capsule;
	if (layout?.kind !== "program") throw new Error("OpenCode has a program");
	const database = join(lab().folder, "database");
	mkdirSync(database, { recursive: true });
	const program = join(lab().folder, "agent");
	const script = [
		"#!/bin/sh",
		`cd '${database}'`,
		'if [ "$1" = export ]; then',
		'	[ "$2" = broken ] && exit 3',
		'	[ "$2" = slow ] && { touch running; exec sleep 600; }',
		'	[ -f "$2" ] || { echo "Session not found: $2" >&2; exit 1; }',
		'	exec cat "$2"',
		"fi",
		'grep -q refused "$2" && exit 1',
		`exec cp "$2" '${SESSION}'`,
	];
	writeFileSync(program, `${script.join("\n")}\n`);
	chmodSync(program, 0o755);
	const exchange = new ProgramExchange({ layout, program, environment: { PATH: process.env.PATH ?? "" } });
	return { root: join(lab().folder, "root"), files: ["{session}.json"], adapterVersion: "stand-in@1.0.0", exchange };
}

function database(): string {
	return join(lab().folder, "database", SESSION);
}

function changes(sessionId = SESSION, capsules = new AgentCapsules(), signal = new AbortController().signal) {
	return capsules.changes(place(), { sessionId, cwd: lab().folder, have: [] }, signal);
}

async function restore(content: string): Promise<void> {
	const capsules = new AgentCapsules();
	const request = { ...requestOf({ [NAME]: content }), cwd: lab().folder };
	const id = await capsules.begin("mock", place(), request);
	await capsules.put("mock", id, chunkOf(NAME, 0, content));
	await capsules.commit("mock", id);
}

describe("an agent whose program writes and reads its sessions", () => {
	it("has a session as one file, and leaves no copy of it", async () => {
		place();
		writeFileSync(database(), CONTENT);
		const { files, chunks } = await changes();
		expect(files).toMatchObject([{ path: NAME, size: CONTENT.length }]);
		expect(chunks).toEqual([chunkOf(NAME, 0, CONTENT)]);
		expect(treeOf(join(lab().folder, "root"))).toEqual({});
	});

	it("has none of a session it does not know, and says when its program fails", async () => {
		expect((await changes()).files).toEqual([]);
		await expect(changes("broken")).rejects.toMatchObject({ code: "stream_error" });
		expect(treeOf(join(lab().folder, "root"))).toEqual({});
	});

	it("has its program ended when the client is gone, and when the server closes", async () => {
		const [client, capsules] = [new AbortController(), new AgentCapsules()];
		const asked = [
			{ done: changes("slow", capsules, client.signal), end: () => client.abort(new Error("gone")) },
			{ done: changes("slow", capsules), end: () => capsules.close() },
		];
		for (const { done, end } of asked) {
			const failed = expect(done).rejects.toThrow(/gone|the server stops/);
			await until(() => existsSync(join(lab().folder, "database/running")));
			await end();
			await failed;
		}
		expect(treeOf(join(lab().folder, "root"))).toEqual({});
	});

	it("gets a session back, once [agents/capsule-whole]", async () => {
		await restore(CONTENT);
		expect(readFileSync(database(), "utf8")).toBe(CONTENT);
		await expect(restore(CONTENT)).rejects.toMatchObject({ code: "conflict" });
		expect(treeOf(join(lab().folder, "root"))).toEqual({});
	});

	it.each([
		["no JSON", "nonsense"],
		["nothing", "null"],
		["of another session", JSON.stringify({ info: { id: "another" } })],
		["of another session too", CONTENT.replace(`"sessionID":"${SESSION}"`, '"sessionID":"another"')],
		["refused by the program", CONTENT.replace('"m"', '"refused"')],
		["nested deeply", `${"[".repeat(100_000)}${"]".repeat(100_000)}`],
	])("does not get what is %s [agents/capsule-hostile]", async (_, content) => {
		await expect(restore(content)).rejects.toMatchObject({ code: "capsule_invalid" });
		expect(existsSync(database())).toBe(false);
		expect(treeOf(join(lab().folder, "root"))).toEqual({});
	});
});
