import type { Command } from "commander";
import { flushCompileCacheLater } from "../server/flush-compile-cache.ts";
import { Logger } from "../server/logger.ts";
import { type RunningServer, type ServerOptions, startServer } from "../server/start-server.ts";
import { chooseTokenSource } from "../server/token.ts";
import { type CliContext, UsageError } from "./cli-context.ts";
import { announce } from "./listening-message.ts";
import { ReadyDescriptor } from "./ready-descriptor.ts";
import { addServerFlags, checkServerFlags, type ServerFlags } from "./server-flags.ts";

/** How long a stop may take before the process ends with what is left killed, in milliseconds. */
const STOP_LIMIT_MS = 2_500;

/** `server`: runs until a signal, or the end of the one who asked for it, stops it. */
export function define(command: Command, context: CliContext): void {
	addServerFlags(command).action(async () => {
		const flags = command.optsWithGlobals<ServerFlags>();
		checkServerFlags(flags);
		const [problem] = context.environment.problems;
		if (problem !== undefined) throw new UsageError(problem);
		const logger = createLogger(context);
		try {
			await run(flags, context, logger);
		} finally {
			await logger.flush();
		}
	});
}

async function run(flags: ServerFlags, context: CliContext, logger: Logger): Promise<void> {
	// A signal that comes while the server starts counts.
	const signal = context.stopSignal();
	const ready = flags.readyFd === undefined ? undefined : new ReadyDescriptor(flags.readyFd, !flags.detached);
	const server = await startServer(toOptions(flags, context, logger));
	context.onForcedExit(() => {
		server.abandon();
		logger.flushNow();
	});
	try {
		announce(server, context, logger);
		flushCompileCacheLater();
		await ready?.announce({ port: server.port, pid: process.pid });
		if (flags.detached) ready?.close();
		const reason = await stopped(signal, flags.detached ? undefined : ready);
		logger.announce("info", "server stopping", { reason });
	} finally {
		await close(server, logger);
		ready?.close();
	}
}

/** Resolves with the reason to stop. */
function stopped(signal: AbortSignal, ready: ReadyDescriptor | undefined): Promise<string> {
	const signalled = new Promise<string>((resolve) => {
		const onAbort = () => resolve(String(signal.reason));
		if (signal.aborted) onAbort();
		else signal.addEventListener("abort", onAbort, { once: true });
	});
	return ready ? Promise.race([signalled, ready.closed.then(() => "the parent process has ended")]) : signalled;
}

async function close(server: RunningServer, logger: Logger): Promise<void> {
	let timer: NodeJS.Timeout | undefined;
	const limit = new Promise<"late">((resolve) => {
		timer = setTimeout(() => resolve("late"), STOP_LIMIT_MS);
	});
	const outcome = await Promise.race([server.close(), limit]);
	clearTimeout(timer);
	if (outcome !== "late") return;
	logger.announce("warn", "not everything ended in time; the rest is killed");
	server.abandon();
}

function createLogger(context: CliContext): Logger {
	const { log } = context.environment;
	return new Logger({
		descriptor: log.stdout ? 1 : 2,
		terminal: context.terminal && !log.stdout,
		directory: log.stdout ? undefined : log.directory,
	});
}

function toOptions(flags: ServerFlags, context: CliContext, logger: Logger): ServerOptions {
	const { environment } = context;
	return {
		host: flags.host,
		port: flags.port,
		token: chooseTokenSource({
			token: flags.token,
			tokenFile: flags.tokenFile,
			noToken: flags.noToken,
			environmentToken: environment.token,
			environmentTokenFile: environment.tokenFile,
		}),
		cors: {
			origins: flags.corsAllowOrigin,
			methods: flags.corsAllowMethod,
			headers: flags.corsAllowHeader,
			credentials: flags.corsAllowCredentials ?? false,
		},
		allowedHosts: flags.allowedHost,
		publicUrl: flags.publicUrl,
		stateDirectory: flags.stateDir ?? environment.stateDirectory,
		maxBodyBytes: flags.maxBodyBytes,
		fsRoot: flags.fsRoot,
		environment,
		program: context.program,
		logger,
	};
}
