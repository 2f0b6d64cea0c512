import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { modelSettings, type RealAgent } from "../agent-runtime/test/agents/support/model-settings.ts";
import { AGENT_CACHE, installRealAgent } from "../agent-runtime/test/agents/support/real-agent.ts";
import type { JourneyRequest, JourneyResult } from "./fixtures/capsules/journey.ts";
import { type ModelInside, startModelInside } from "./namespace/model-inside.ts";
import { NetworkNamespace } from "./namespace/network-namespace.ts";
import { availabilityOf } from "./services/availability.ts";

const runFile = promisify(execFile);
const available = availabilityOf("namespace");
const JOURNEY = fileURLToPath(new URL("./fixtures/capsules/journey.ts", import.meta.url));

/** Longest result of a journey, in bytes; and how long one may take, in milliseconds, before it is ended. */
const MAX_OUTPUT_BYTES = 256 * 1024 * 1024;
const PATIENCE_MS = 150_000;

const PROMPTS = ["SAY: the word is heron", "RUN: echo kingfisher", "SAY: after load", "SAY: after resume"] as const;

/**
 * The agents that have capsules, whether they can resume without replaying, and what comes of putting the same capsule back
 * twice: OpenCode cannot tell the same session from another one.
 */
const SUBJECTS = [
	{ agent: "claude", resumes: true, again: "done" },
	{ agent: "codex", resumes: true, again: "done" },
	{ agent: "opencode", resumes: true, again: "conflict" },
	{ agent: "pi", resumes: false, again: "done" },
] as const;

describe.skipIf(!available.available)("the capsule of a real agent", { meta: { skipReason: available.reason } }, () => {
	let namespace: NetworkNamespace;
	let model: ModelInside;
	let root: string;

	beforeEach(async () => {
		namespace = await NetworkNamespace.open();
		model = await startModelInside(namespace);
		root = realpathSync(mkdtempSync(join(tmpdir(), "capsule-journey-")));
	});

	afterEach(async () => {
		await model.close();
		await namespace.close();
		rmSync(root, { recursive: true, force: true });
	});

	async function travel(agent: RealAgent): Promise<JourneyResult> {
		const { variables, files = {} } = modelSettings(agent, model.url);
		for (const home of ["home-here", "home-there"]) {
			for (const [path, content] of Object.entries(files)) {
				const file = join(root, home, path);
				mkdirSync(dirname(file), { recursive: true });
				writeFileSync(file, content);
			}
		}
		const environment = { ...variables, ...withoutQuestions(agent, variables) };
		const request: JourneyRequest = { agent, root, data: AGENT_CACHE, environment, prompts: PROMPTS };
		const conditions = ["--conditions=sandbox-agent-source", "--disable-warning=ExperimentalWarning"];
		const program = [...conditions, JOURNEY, JSON.stringify(request)];
		const [command, args] = namespace.spawnArguments(process.execPath, program);
		const { stdout } = await runFile(command, args, { maxBuffer: MAX_OUTPUT_BYTES, timeout: PATIENCE_MS });
		return JSON.parse(stdout) as JourneyResult;
	}

	/** What the model was told before a prompt, in the request that carried it. */
	async function toldBefore(prompt: string): Promise<string> {
		const requests = (await model.requests()).filter((request) => request.tools.length > 0);
		return JSON.stringify(requests.find((request) => request.prompt.includes(prompt))?.history);
	}

	it.each(SUBJECTS)("lets $agent go on with a session in another sandbox [agents/capsule-travels]", async (subject) => {
		await installRealAgent(subject.agent);
		const journey = await travel(subject.agent);
		const { sessionId, manifest, captured, stored, plain, load, resume } = journey;
		expect(journey.unknown.error).toBeDefined();
		expect(load?.error).toBeUndefined();
		expect(resume?.error).toBeUndefined();
		expect(resume !== undefined).toBe(subject.resumes);
		expect(journey.stopReasons).toEqual(Array.from({ length: subject.resumes ? 4 : 3 }, () => "end_turn"));
		expect([journey.again, journey.late]).toEqual([subject.again, "conflict"]);

		const afterLoad = await toldBefore("after load");
		expect(afterLoad).toContain("the word is heron");
		expect(afterLoad).toContain("kingfisher");
		if (subject.resumes) expect(await toldBefore("after resume")).toContain("after load");

		expect(manifest?.agentSessionId).toBe(sessionId);
		expect(manifest?.files.every(({ path }) => path.includes(sessionId))).toBe(true);
		expect(captured.map((bytes) => bytes > 0)).toEqual([true, true]);
		const sizes = manifest?.files.map(({ size }) => size) ?? [];
		expect(captured.reduce((sum, bytes) => sum + bytes, 0)).toBe(sizes.reduce((sum, size) => sum + size, 0));
		expect(plain).toContain("heron");
		expect(plain).not.toContain("scripted-key");
		expect(stored).not.toContain("heron");
	});
});

/** Variables with which an agent runs a command without a question: nobody answers any here. */
function withoutQuestions(agent: RealAgent, variables: Readonly<Record<string, string>>): Record<string, string> {
	if (agent === "codex") return { INITIAL_AGENT_MODE: "agent-full-access" };
	if (agent !== "opencode") return {};
	const config: object = JSON.parse(variables.OPENCODE_CONFIG_CONTENT ?? "{}");
	return { OPENCODE_CONFIG_CONTENT: JSON.stringify({ ...config, permission: { bash: "allow" } }) };
}
