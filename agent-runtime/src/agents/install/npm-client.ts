import { realpath } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { ProcessTransport } from "../transport/process-transport.ts";
import { findProgram } from "./find-program.ts";

/** How npm is started: a program and its first arguments. */
export interface NpmCommand {
	readonly command: string;
	readonly args: readonly string[];
}

/** How an npm run ended. */
export interface NpmResult {
	/** `null` when a signal ended it. */
	readonly code: number | null;
	/** The end of its output, errors last. */
	readonly output: string;
}

/**
 * Finds npm: on PATH, else beside our Node. npm's own script is run by our Node, so that it works however old the one on
 * PATH is.
 *
 * @returns `undefined` where there is no npm.
 */
export async function findNpm(environment: NodeJS.ProcessEnv, nodeProgram: string): Promise<NpmCommand | undefined> {
	const nodeDirectory = dirname(nodeProgram);
	const found =
		(await findProgram("npm", environment.PATH)) ??
		(await findProgram("npm", [nodeDirectory, join(nodeDirectory, "../lib/node_modules/npm/bin")].join(delimiter)));
	if (found === undefined) return undefined;
	const file = await realpath(found);
	return file.endsWith(".js") ? { command: nodeProgram, args: [file] } : { command: found, args: [] };
}

/** What is installed, and where. */
export interface NpmInstallOptions {
	readonly npm: NpmCommand;
	/** Directory that gets `node_modules`. */
	readonly prefix: string;
	/** `<package>@<version>` of each. */
	readonly specs: readonly string[];
	readonly environment: Readonly<Record<string, string>>;
	/** Ends npm, with everything it has started. */
	readonly signal: AbortSignal;
	/** Told of the process as soon as it runs: it leads a process group of its own. */
	readonly onStart?: ((pid: number) => Promise<void>) | undefined;
}

/** How many of the last lines of npm's ordinary output are kept. */
const OUTPUT_LINES = 20;

/**
 * Runs `npm install` without install scripts. Resolves also when npm fails.
 *
 * @throws the signal's reason when it is aborted; npm has ended by then.
 */
export async function npmInstall(options: NpmInstallOptions): Promise<NpmResult> {
	const { npm, prefix, specs, environment, signal } = options;
	signal.throwIfAborted();
	const args = ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--prefer-offline"];
	// What the user has configured for projects of their own would put the files elsewhere, or leave programs out.
	const shape = ["--include=optional", "--install-strategy=hoisted", "--global=false"];
	// The default makes one wait for half a minute before an unreachable registry is an error.
	const patience = ["--fetch-retries=2", "--fetch-retry-mintimeout=500", "--fetch-retry-maxtimeout=5000"];
	const transport = await ProcessTransport.start({
		command: npm.command,
		args: [...npm.args, ...args, ...shape, ...patience, "--prefix", prefix, ...specs],
		cwd: prefix,
		environment,
	});
	const lines: string[] = [];
	transport.onLines((batch) => {
		lines.push(...batch.map((line) => Buffer.from(line).toString()));
		lines.splice(0, lines.length - OUTPUT_LINES);
	});
	const stop = () => {
		// Waited for below, through `exited`.
		transport.close({ graceMs: 0 }).catch(() => undefined);
	};
	signal.addEventListener("abort", stop, { once: true });
	if (signal.aborted) stop();
	try {
		await options.onStart?.(transport.pid);
		const { code, stderr } = await transport.exited;
		return { code, output: [...lines, stderr].filter((text) => text !== "").join("\n") };
	} finally {
		signal.removeEventListener("abort", stop);
		await transport.close({ graceMs: 0 });
		signal.throwIfAborted();
	}
}
