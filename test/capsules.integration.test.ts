import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AGENT_CACHE, installRealAgent } from "../agent-runtime/test/agents/support/real-agent.ts";
import type { JourneyRequest, JourneyResult } from "./fixtures/capsules/journey.ts";
import { type ModelInside, startModelInside } from "./namespace/model-inside.ts";
import { NetworkNamespace } from "./namespace/network-namespace.ts";
import { availabilityOf } from "./services/availability.ts";

const runFile = promisify(execFile);
const available = availabilityOf("namespace");
const JOURNEY = fileURLToPath(new URL("./fixtures/capsules/journey.ts", import.meta.url));
const SECRET = "scripted-secret-key";

const PROMPTS = ["SAY: the word is heron", "RUN: echo kingfisher", "SAY: after load", "SAY: after resume"] as const;

/** How an agent finds the scripted model: by its environment, and by files of its home. */
interface Subject {
	readonly agent: string;
	readonly environment: (url: string) => Record<string, string>;
	readonly files: (url: string) => Record<string, string>;
	/** Whether it can resume without replaying. */
	readonly resumes: boolean;
}

const SUBJECTS: readonly Subject[] = [
	{
		agent: "claude",
		environment: (url) => ({ ANTHROPIC_BASE_URL: url, ANTHROPIC_API_KEY: SECRET }),
		files: () => ({}),
		resumes: true,
	},
	{
		agent: "codex",
		environment: () => ({ SCRIPTED_KEY: SECRET, INITIAL_AGENT_MODE: "agent-full-access" }),
		files: (url) => ({ ".codex/config.toml": codexConfig(url) }),
		resumes: true,
	},
	{
		agent: "pi",
		environment: () => ({}),
		files: (url) => ({
			".pi/agent/models.json": JSON.stringify({ providers: { scripted: piProvider(url) } }),
			".pi/agent/settings.json": JSON.stringify({
				defaultProvider: "scripted",
				defaultModel: "scripted-model",
				quietStartup: true,
			}),
		}),
		resumes: false,
	},
];

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

	async function travel({ agent, environment, files }: Subject): Promise<JourneyResult> {
		for (const home of ["home-here", "home-there"]) {
			for (const [path, content] of Object.entries(files(model.url))) {
				const file = join(root, home, path);
				mkdirSync(dirname(file), { recursive: true });
				writeFileSync(file, content);
			}
		}
		const request: JourneyRequest = {
			agent,
			root,
			data: AGENT_CACHE,
			environment: environment(model.url),
			prompts: PROMPTS,
		};
		const conditions = ["--conditions=sandbox-agent-source", "--disable-warning=ExperimentalWarning"];
		const program = [...conditions, JOURNEY, JSON.stringify(request)];
		const [command, args] = namespace.spawnArguments(process.execPath, program);
		const { stdout } = await runFile(command, args, { maxBuffer: 256 * 1024 * 1024 });
		return JSON.parse(stdout) as JourneyResult;
	}

	/** What the model was told before a prompt, in the request that carried it. */
	async function toldBefore(prompt: string): Promise<string> {
		const requests = (await model.requests()).filter((request) => request.tools.length > 0);
		return JSON.stringify(requests.find((request) => request.prompt.includes(prompt))?.history);
	}

	it.each(SUBJECTS)("lets $agent go on with a session in another sandbox [agents/capsule-travels]", async (subject) => {
		await installRealAgent(subject.agent);
		const { sessionId, manifest, captured, stored, load, resume, unknown, stopReasons } = await travel(subject);
		expect(unknown.error).toBeDefined();
		expect(load?.error).toBeUndefined();
		expect(resume?.error).toBeUndefined();
		expect(resume !== undefined).toBe(subject.resumes);
		expect(stopReasons).toEqual(Array.from({ length: subject.resumes ? 4 : 3 }, () => "end_turn"));

		const afterLoad = await toldBefore("after load");
		expect(afterLoad).toContain("the word is heron");
		expect(afterLoad).toContain("kingfisher");
		if (subject.resumes) expect(await toldBefore("after resume")).toContain("after load");

		expect(manifest?.agentSessionId).toBe(sessionId);
		expect(manifest?.files.every(({ path }) => path.includes(sessionId))).toBe(true);
		expect(captured.map((bytes) => bytes > 0)).toEqual([true, true]);
		expect(captured.reduce((sum, bytes) => sum + bytes, 0)).toBe(
			manifest?.files.reduce((sum, { size }) => sum + size, 0),
		);
		expect(stored).not.toContain("heron");

		// Nothing of a credential is in the files that went along.
		for (const path of manifest?.files.map((file) => file.path) ?? []) {
			const text = readFileSync(findBelow(join(root, "home-there"), path), "utf8");
			expect(text).toContain("heron");
			expect(text).not.toContain(SECRET);
		}
	});
});

/** The one file below a folder whose path ends so. */
function findBelow(folder: string, end: string): string {
	const found = readdirSync(folder, { recursive: true, encoding: "utf8" }).find((path) => path.endsWith(end));
	return join(folder, found ?? end);
}

function codexConfig(url: string): string {
	return `
model = "scripted-model"
model_provider = "scripted"
check_for_update_on_startup = false
[analytics]
enabled = false
[model_providers.scripted]
name = "Scripted"
base_url = "${url}/v1"
wire_api = "responses"
env_key = "SCRIPTED_KEY"
request_max_retries = 0
stream_max_retries = 0
supports_websockets = false
`;
}

function piProvider(url: string): object {
	return {
		baseUrl: `${url}/v1`,
		api: "openai-completions",
		apiKey: SECRET,
		models: [
			{
				id: "scripted-model",
				name: "Scripted Model",
				reasoning: false,
				input: ["text"],
				contextWindow: 128_000,
				maxTokens: 8192,
				cost: { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 },
			},
		],
	};
}
