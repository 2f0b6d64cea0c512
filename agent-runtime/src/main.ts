#!/usr/bin/env node
import { fileURLToPath } from "node:url";
import type { CliContext } from "./cli/cli-context.ts";
import { StopSignals } from "./cli/stop-signals.ts";
import { forgetToken, readEnvironment } from "./options.ts";

// The only file that touches the process itself: its environment, its streams, its signals and its exit.
const environment = readEnvironment(process.env);
forgetToken(process.env);

const signals = new StopSignals();
const context: CliContext = {
	environment,
	print: (text) => process.stdout.write(`${text}\n`),
	tell: (text) => process.stderr.write(`${text}\n`),
	terminal: process.stderr.isTTY === true && process.env.TERM !== "dumb" && !process.env.NO_COLOR,
	stopSignal: () => signals.listen(),
	onForcedExit: (action) => signals.onForcedExit(action),
	program: fileURLToPath(import.meta.url),
};

const { runCli } = await import("./cli/run-cli.ts");
process.exitCode = await runCli(process.argv.slice(2), context);
