import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Contestant } from "../server/contestants.ts";
import { killGroup } from "../server/workspace.ts";
import type { Round, Workload } from "./workload.ts";

const DRIVER = fileURLToPath(new URL("../drivers/first-prompt.mjs", import.meta.url));
const LIMIT_DRIVER = fileURLToPath(new URL("../drivers/bare-first-prompt.mjs", import.meta.url));
const ERROR_TAIL_CHARACTERS = 600;

/** What a developer waits for: the same ten lines on each contestant's own client, provider and server. */
export const firstPrompt: Workload = {
	name: "first-prompt",
	title: "start({ sandbox: local() }) until the first prompt is answered, each with its own client",
	metrics: [
		{
			key: "promptMs",
			label: "first prompt answered",
			unit: "ms",
			target: { kind: "ratio", direction: "at-most", limit: 0.7 },
			// The original's rounds fall into two groups; its median is that of the larger one.
			everyRound: true,
		},
		{ key: "startMs", label: "of which start()", unit: "ms" },
		{ key: "disposeMs", label: "destroySandbox() after it", unit: "ms" },
	],
	contestants: ["ours", "original", "limit"],
	rounds: 9,
	capMs: 30_000,
	async round(round) {
		const { args, environment } = driverOf(round.contestant);
		const home = round.workspace.newHome();
		try {
			const output = await runDriver(args, { ...home.environment, ...environment }, round);
			const result = JSON.parse(output) as Record<"startMs" | "promptMs" | "disposeMs", number>;
			for (const key of ["startMs", "promptMs", "disposeMs"] as const) round.record(key, result[key]);
		} finally {
			round.workspace.removeHome(home);
		}
	},
};

/** The program of a contestant and its arguments. */
function driverOf({ name, client, command }: Contestant): { args: string[]; environment: NodeJS.ProcessEnv } {
	if (name === "limit") return { args: [LIMIT_DRIVER, ...command(0)], environment: {} };
	if (client === undefined) throw new Error("the client is not built; run `pnpm build`");
	return { args: [DRIVER, client.module, client.provider], environment: client.environment };
}

/** Runs the driver in a process of its own and resolves with the last line of its output. */
async function runDriver(args: string[], env: NodeJS.ProcessEnv, { workspace, signal }: Round): Promise<string> {
	signal.throwIfAborted();
	const child = spawn(process.execPath, args, { env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
	workspace.adopt(child);
	const abort = () => killGroup(child);
	signal.addEventListener("abort", abort, { once: true });
	let output = "";
	let errors = "";
	child.stdout.setEncoding("utf8").on("data", (text: string) => {
		output += text;
	});
	child.stderr.setEncoding("utf8").on("data", (text: string) => {
		errors = (errors + text).slice(-ERROR_TAIL_CHARACTERS);
	});
	try {
		const code = await new Promise<number | null>((resolve, reject) => {
			child.once("error", reject);
			child.once("close", resolve);
		});
		signal.throwIfAborted();
		if (code !== 0) throw new Error(`the program exited with ${code}: ${errors.trim()}`);
		return output.trim().split("\n").at(-1) ?? "";
	} finally {
		signal.removeEventListener("abort", abort);
		killGroup(child);
	}
}
