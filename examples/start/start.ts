/**
 * `npm start`: a sandbox, an agent, one prompt, and everything the agent does about it.
 *
 * Exit codes: 0 the turn ended; 1 something failed; 2 the arguments are wrong; 130 interrupted.
 */
import pico from "picocolors";
import { SandboxAgentError } from "sandbox-agent";
import { HELP, readArguments, type StartArguments, UsageError } from "./arguments.ts";
import { missingCredentials, readyAgents } from "./credentials.ts";
import { Paper } from "./paper.ts";
import { PermissionDesk, policyFor } from "./permission-desk.ts";
import { Progress, type ProgressStep } from "./progress.ts";
import { TurnRenderer } from "./renderer.ts";
import { type StartedSandbox, startSandbox } from "./sandbox.ts";
import { showTurn } from "./turn.ts";

/** Wider lines are hard to read. */
const MAX_COLUMNS = 100;

const isTerminal = Boolean(process.stdout.isTTY);
const columns = Math.min(process.stdout.columns ?? MAX_COLUMNS, MAX_COLUMNS);
const colours = pico.createColors(isTerminal && !process.env.NO_COLOR);
const write = (text: string) => void process.stdout.write(text);
const paper = new Paper({ write, columns });
const progress = new Progress({ write, isTerminal, columns, now: Date.now });

const interruption = new AbortController();
process.on("SIGINT", () => interruption.abort(new Error("interrupted")));
process.on("SIGTERM", () => interruption.abort(new Error("interrupted")));

process.exitCode = await main(process.argv.slice(2));

async function main(args: string[]): Promise<number> {
	try {
		const options = readArguments(args);
		if (options.help) {
			write(`${HELP}\n`);
			return 0;
		}
		await run(options);
		return 0;
	} catch (error) {
		progress.clear();
		paper.gap();
		if (interruption.signal.aborted) {
			paper.line("interrupted", colours.dim);
			return 130;
		}
		complain(describe(error));
		return error instanceof UsageError ? 2 : 1;
	}
}

async function run(options: StartArguments): Promise<void> {
	const { signal } = interruption;
	if (options.provider !== "docker" && (options.image ?? options.mounts[0]) !== undefined) {
		throw new UsageError("--image and --mount are for containers: add --provider docker");
	}
	write("\n");
	paper.line(`${colours.bold("Sandbox Agent")} · agent ${options.agent} · provider ${options.provider}`);
	const started = Date.now();
	const sandbox = await startSandbox(options, progress, signal);
	try {
		progress.clear();
		done(`sandbox ${shortId(sandbox.client.sandboxId)}`, started);
		await converse(options, sandbox);
		if (options.keep) await stay(sandbox);
	} finally {
		await sandbox.stop();
	}
}

/** One session with one prompt. */
async function converse(options: StartArguments, { client, cwd }: StartedSandbox): Promise<void> {
	const { signal } = interruption;
	const { agents } = await client.listAgents();
	const agent = agents.find(({ id }) => id === options.agent);
	if (!agent) {
		throw new UsageError(`--agent ${options.agent} is not known: use ${agents.map(({ id }) => id).join(", ")}`);
	}
	const missing = missingCredentials(agent, process.env);
	if (missing) throw new Error(missing);
	const started = Date.now();
	const stopListening = client.onAgentNotification(({ method, params }) => {
		if (method === "_adapter/agent_installing") progress.update(installationStep(options.agent, params));
	});
	const session = await waitingFor(`${agent.installed ? "starting" : "installing"} ${options.agent}`, () =>
		client.createSession({ agent: options.agent, cwd, model: options.model }, { signal }),
	);
	stopListening();
	done(`session with ${options.agent}`, started);
	paper.gap();
	paper.line(`${colours.cyan("›")} ${colours.bold(options.prompt)}`);

	const renderer = new TurnRenderer(paper, colours);
	const policy = policyFor(options, isTerminal && Boolean(process.stdin.isTTY));
	const desk = new PermissionDesk({
		paper,
		renderer,
		colours,
		policy,
		why: options.permissions ? `--permissions ${policy}` : "no terminal to ask on",
		input: process.stdin,
		output: process.stdout,
		signal,
	});
	const begun = Date.now();
	const stopReason = await showTurn(session, options.prompt, { renderer, desk, signal });
	paper.gap();
	const facts = [`${seconds(begun)}`, `${renderer.count} updates`, ...usageOf(renderer)];
	paper.line(`${colours.green("✓")} ${stopReason} ${colours.dim(`· ${facts.join(" · ")}`)}`);
	hint(
		options,
		readyAgents(agents).filter((agent) => agent !== options.agent),
	);
}

/** The server's news of an installation, as progress. Its members are the server's business and may be missing. */
function installationStep(agent: string, params: unknown): ProgressStep {
	const { phase, bytes, totalBytes } = (params ?? {}) as { phase?: string; bytes?: number; totalBytes?: number };
	return { message: `installing ${agent}${phase ? `: ${phase}` : ""}`, bytes, totalBytes };
}

/** Names what else can be tried on this machine. */
function hint(options: StartArguments, ready: readonly string[]): void {
	if (ready.length > 0) {
		const flags = ready.map((agent) => `npm start -- --agent ${agent}`).join("   ");
		paper.line(`Credentials found for ${ready.join(", ")}: ${flags}`, colours.dim);
	} else if (options.agent === "mock") {
		paper.line("For a real agent set ANTHROPIC_API_KEY and use: npm start -- --agent claude", colours.dim);
	}
}

/** Leaves the sandbox running until it is interrupted. */
async function stay({ client, cwd }: StartedSandbox): Promise<void> {
	paper.gap();
	paper.line(`The sandbox stays: ${client.inspectorUrl}`);
	if (cwd) paper.line(`The agent worked in ${cwd}`);
	paper.line("Ctrl-C ends it.", colours.dim);
	const { signal } = interruption;
	const alive = setInterval(() => undefined, 60_000);
	await new Promise<void>((resolve) => {
		if (signal.aborted) resolve();
		signal.addEventListener("abort", () => resolve(), { once: true });
	});
	clearInterval(alive);
}

/** Shows a line while something takes longer than a second. */
async function waitingFor<T>(message: string, work: () => Promise<T>): Promise<T> {
	const tick = () => progress.update({ message });
	tick();
	const timer = setInterval(tick, 500);
	try {
		return await work();
	} finally {
		clearInterval(timer);
		progress.clear();
	}
}

function done(text: string, since: number): void {
	paper.line(`${colours.green("✓")} ${text} ${colours.dim(`· ${seconds(since)}`)}`);
}

function seconds(since: number): string {
	return `${((Date.now() - since) / 1000).toFixed(1)} s`;
}

function usageOf({ usage }: TurnRenderer): string[] {
	if (!usage) return [];
	const { used, size, cost } = usage;
	const tokens = `${used.toLocaleString("en-US")} of ${size.toLocaleString("en-US")} tokens`;
	return cost ? [tokens, cost] : [tokens];
}

/** An id as its vendor's own tools accept it: the beginning is enough where it is very long. */
function shortId(sandboxId = ""): string {
	const [provider, id = ""] = sandboxId.split("/");
	return `${provider}/${id.length > 40 ? id.slice(0, 12) : id}`;
}

/** A failure, on the error output; wrapped for a person, on one line for a file. */
function complain(text: string): void {
	if (!process.stderr.isTTY) {
		process.stderr.write(`✗ ${text}\n`);
		return;
	}
	const errors = new Paper({ write: (piece) => void process.stderr.write(piece), columns });
	for (const line of `${colours.red("✗")} ${text}`.split("\n")) errors.line(line);
}

function describe(error: unknown): string {
	if (error instanceof UsageError) return `${error.message}\nnpm start -- --help lists what there is`;
	if (SandboxAgentError.isInstance(error)) return error.message;
	return error instanceof Error ? error.message : String(error);
}
