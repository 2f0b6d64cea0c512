import { pipeline } from "node:stream/promises";
import { isatty } from "node:tty";
import type { RuntimeEnvironment } from "../options.ts";
import { toLogfmt } from "../server/logfmt.ts";
import type { CliContext } from "./cli-context.ts";
import { StopSignals } from "./stop-signals.ts";

/** The context of a command that runs in a process of its own. */
export function createProcessContext(environment: RuntimeEnvironment, program: string): CliContext {
	const signals = new StopSignals();
	// Asking the stream would make it, which a server never needs.
	const terminal = isatty(2) && environment.terminal;
	const tell = (text: string) => {
		process.stderr.write(`${text}\n`);
	};
	return {
		environment,
		program,
		terminal,
		tell,
		print: (text) => {
			// The reader of a pipe may have seen enough.
			if (process.stdout.listenerCount("error") === 0) process.stdout.on("error", ignoreClosedPipe);
			process.stdout.write(`${text}\n`);
		},
		copyOut: async (stream) => {
			try {
				await pipeline(stream, process.stdout, { end: false });
			} catch (error) {
				ignoreClosedPipe(error);
			}
		},
		rewrite: (text) => {
			process.stderr.write(`\r\u001b[2K${text.slice(0, Math.max(1, process.stderr.columns - 1))}`);
		},
		fail: (text) =>
			tell(
				terminal
					? `error: ${text}`
					: toLogfmt({ at: Date.now(), level: "error", message: "sandbox-agent failed", fields: { error: text } }),
			),
		stopSignal: () => signals.listen(),
		onForcedExit: (action) => signals.onForcedExit(action),
	};
}

function ignoreClosedPipe(error: unknown): void {
	if (!(error instanceof Error && "code" in error && error.code === "EPIPE")) throw error;
}
