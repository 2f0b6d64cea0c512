import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import type { SandboxAgent, Session } from "sandbox-agent";
import { quantile, ratio } from "../report/statistics.ts";
import { ServerProcess } from "../server/server-process.ts";
import type { Home } from "../server/workspace.ts";
import type { Round, Workload } from "./workload.ts";

const OTHERS = 63;
const RATE = 200;
const PROMPTS = 400;
const WARM_UP = 50;
const AGENT = fileURLToPath(new URL("../agent/sessions-agent.mjs", import.meta.url));

/** Whether sessions of one client, which share an agent, a connection and a stream, wait for each other. */
export const sessions: Workload = {
	name: "sessions",
	title: `a prompt with one update, alone and beside ${OTHERS} sessions with ${RATE} updates a second each, through one client`,
	metrics: [
		{ key: "alone50", label: "alone: p50", unit: "ms" },
		{ key: "alone99", label: "alone: p99", unit: "ms" },
		{ key: "beside50", label: "beside the others: p50", unit: "ms" },
		{ key: "beside99", label: "beside the others: p99", unit: "ms" },
		{
			key: "ratio",
			label: "p99 beside / p99 alone",
			unit: "",
			target: { kind: "value", direction: "at-most", limit: 5 },
		},
		{ key: "rate", label: "updates the client got meanwhile", unit: "/s" },
	],
	contestants: ["ours"],
	rounds: 5,
	capMs: 60_000,
	async round(round) {
		const home = round.workspace.newHome();
		speakSteadily(home);
		try {
			await using server = await ServerProcess.start(round.contestant, round.workspace, round.signal, home);
			// Loaded late: it needs the built client, which the other workloads do without.
			const { SandboxAgent: Client } = await import("sandbox-agent");
			const { port, token } = server.address;
			await using client = await Client.connect({ baseUrl: `http://127.0.0.1:${port}`, token });
			await measure(round, client);
		} finally {
			round.workspace.removeHome(home);
		}
	},
};

/** Puts the agent with many sessions in the place of the scripted one. */
function speakSteadily({ directory }: Home): void {
	const launcher = join(directory, "data/sandbox-agent/bin/agent_processes/mock-acp");
	writeFileSync(launcher, `#!/bin/sh\nexec '${process.execPath}' '${AGENT}'\n`, { mode: 0o755 });
}

async function measure(round: Round, client: SandboxAgent): Promise<void> {
	const quick = await client.createSession({ agent: "mock", cwd: "/" });
	await prompts(round, quick, WARM_UP);
	const alone = await prompts(round, quick, PROMPTS);

	let updates = 0;
	const others = await Promise.all(
		Array.from({ length: OTHERS }, () => client.createSession({ agent: "mock", cwd: "/" })),
	);
	const turns = others.map((session) => {
		session.onEvent(() => updates++);
		return session.prompt(`stream ${RATE}`);
	});
	await prompts(round, quick, WARM_UP);
	const [before, begun] = [updates, performance.now()];
	const beside = await prompts(round, quick, PROMPTS);
	const rate = ((updates - before) * 1000) / (performance.now() - begun);
	for (const session of others) await session.cancel();
	await Promise.all(turns);

	const [alone99, beside99] = [quantile(alone, 0.99), quantile(beside, 0.99)];
	round.record("alone50", quantile(alone, 0.5));
	round.record("alone99", alone99);
	round.record("beside50", quantile(beside, 0.5));
	round.record("beside99", beside99);
	round.record("ratio", ratio(beside99, alone99));
	round.record("rate", rate);
}

/** Times of so many prompts, one after the other, in milliseconds. */
async function prompts({ signal }: Round, session: Session, count: number): Promise<number[]> {
	const times: number[] = [];
	for (let index = 0; index < count; index++) {
		const begun = performance.now();
		await session.prompt("quick", { signal });
		times.push(performance.now() - begun);
	}
	return times;
}
