import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { text as readAll } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import Docker from "dockerode";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { installRealAgent } from "../../../agent-runtime/test/agents/support/real-agent.ts";
import { startScriptedModel } from "../../scripted-model/server.ts";
import { availabilityOf } from "../../services/availability.ts";
import { AGENT_BINDS } from "../../services/docker-agents.ts";

const root = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))));

/** `npm start` as a program whose output goes to a file. */
class StartProgram {
	readonly child: ChildProcess;
	readonly exited: Promise<number>;
	output = "";
	#waiting: { text: string; resolve: () => void }[] = [];

	constructor(home: string, args: readonly string[], environment: Record<string, string> = {}) {
		const { FORCE_COLOR: _, NO_COLOR: __, ...inherited } = process.env;
		const own = { HOME: home, TMPDIR: home, XDG_DATA_HOME: join(home, "data"), XDG_STATE_HOME: join(home, "state") };
		this.child = spawn(process.execPath, [join(root, "examples/start/start.ts"), ...args], {
			cwd: root,
			env: { ...inherited, ...own, ...environment },
			stdio: ["ignore", "pipe", "pipe"],
		});
		this.exited = once(this.child, "exit").then(([code]) => code);
		for (const stream of [this.child.stdout, this.child.stderr]) {
			stream?.on("data", (chunk) => {
				this.output += chunk;
				this.#waiting = this.#waiting.filter(({ text, resolve }) => {
					if (!this.output.includes(text)) return true;
					resolve();
					return false;
				});
			});
		}
	}

	/** Resolves when the program has said something; rejects when it ends without. */
	async says(text: string): Promise<void> {
		if (this.output.includes(text)) return;
		const said = new Promise<void>((resolve) => this.#waiting.push({ text, resolve }));
		const ended = this.exited.then((code) => {
			if (!this.output.includes(text)) throw new Error(`ended with ${code} before it said ${text}:\n${this.output}`);
		});
		await Promise.race([said, ended]);
	}
}

let home: string;
let program: StartProgram | undefined;
beforeEach(() => {
	home = mkdtempSync(join(tmpdir(), "start-"));
});
afterEach(async () => {
	program?.child.kill("SIGKILL");
	await program?.exited;
	rmSync(home, { recursive: true, force: true });
});

function start(args: readonly string[], environment: Record<string, string> = {}): StartProgram {
	program = new StartProgram(home, args, environment);
	return program;
}

/** What the program has left in its temp folder. */
function leftovers(): string[] {
	return readdirSync(home).filter((name) => name.startsWith("sandbox-agent-"));
}

describe("npm start in a pipe", () => {
	it("shows a turn, moves no cursor, and leaves nothing behind", async () => {
		const run = start([]);
		expect(await run.exited).toBe(0);
		for (const text of ["sandbox local/127.0.0.1:", "Plan", "Allow: Write", "no terminal to ask on", "end_turn"]) {
			expect(run.output).toContain(text);
		}
		expect(run.output).not.toContain("\u001b");
		expect(run.output).not.toContain("\r");
		expect(leftovers()).toEqual([]);
	});

	it("ends with 1 and the reason when the turn fails, and leaves nothing behind", async () => {
		const run = start(["crash"]);
		expect(await run.exited).toBe(1);
		expect(run.output).toContain("✗ Agent Process Exited");
		expect(leftovers()).toEqual([]);
	});

	it("ends with 2 and what would be right when the agent is not known", async () => {
		const run = start(["--agent", "nobody"]);
		expect(await run.exited).toBe(2);
		expect(run.output).toMatch(/--agent nobody is not known: use claude, .*mock/);
		expect(leftovers()).toEqual([]);
	});

	it.each(["SIGINT", "SIGTERM"] as const)("ends a running turn on %s and leaves nothing behind", async (signal) => {
		const run = start(["slow 20000"]);
		await run.says("10 %");
		run.child.kill(signal);
		expect(await run.exited).toBe(130);
		expect(run.output).toContain("interrupted");
		expect(leftovers()).toEqual([]);
	});

	it("with --keep stays, prints an address that answers, and ends on SIGINT", async () => {
		const run = start(["--keep", "usage"]);
		await run.says("Ctrl-C ends it.");
		const [url = ""] = /http:\S+\/ui\//.exec(run.output) ?? [];
		expect((await fetch(url)).status).toBe(200);
		run.child.kill("SIGINT");
		expect(await run.exited).toBe(0);
		await expect(fetch(url)).rejects.toThrow();
		expect(leftovers()).toEqual([]);
	});

	it("names the agents for which this machine has credentials, and never a key", async () => {
		const run = start(["usage"], { ANTHROPIC_API_KEY: "sk-ant-not-to-be-seen" });
		expect(await run.exited).toBe(0);
		expect(run.output).toMatch(/Credentials found for .*claude.*npm start -- --agent claude/);
		expect(run.output).not.toContain("not-to-be-seen");
	});
});

const daemon = availabilityOf("docker");

describe.skipIf(!daemon.available)("npm start with a container", { meta: { skipReason: daemon.reason } }, () => {
	const image = process.env.SANDBOX_AGENT_TEST_IMAGE ?? "";
	const ours = { all: true, filters: { label: ["sandbox-agent=true"] } };

	it("shows a turn and removes the container", async () => {
		const run = start(["--provider", "docker", "--image", image]);
		expect(await run.exited).toBe(0);
		expect(run.output).toContain("end_turn");
		expect(await new Docker().listContainers(ours)).toEqual([]);
	});

	it("lets Claude Code write a file that it asked for", async () => {
		await installRealAgent("claude");
		const docker = new Docker();
		const { IPAM } = await docker.getNetwork("bridge").inspect();
		await using model = await startScriptedModel({ host: IPAM?.Config?.[0]?.Gateway ?? "", port: 0 });
		const file = "/home/sandbox/made.txt";
		const mounts = AGENT_BINDS.flatMap((bind) => ["--mount", bind]);
		const run = start(
			["--agent", "claude", "--provider", "docker", "--image", image, ...mounts, "--keep", `WRITE: ${file}=by Claude`],
			{ ANTHROPIC_BASE_URL: model.url, ANTHROPIC_API_KEY: "scripted-key" },
		);
		await run.says("Ctrl-C ends it.");
		expect(run.output).toMatch(/Allow: .*made\.txt/);
		const [, id = ""] = /sandbox docker\/(\w+)/.exec(run.output) ?? [];
		const exec = await docker.getContainer(id).exec({ Cmd: ["cat", file], AttachStdout: true, Tty: true });
		expect(await readAll(await exec.start({ Tty: true }))).toContain("by Claude");
		run.child.kill("SIGINT");
		expect(await run.exited).toBe(0);
		expect(await docker.listContainers(ours)).toEqual([]);
	});
});
