import { Readable, type Writable } from "node:stream";
import { serveMockAgent } from "./agent.ts";
import { MockSessionStore } from "./session-store.ts";

/** How the mock agent runs as a process. */
export interface MockProcessOptions {
	/** Where sessions are kept, so that they can be loaded after the process was killed. @default memory only */
	readonly sessionDirectory?: string | undefined;
	/** Ends the process. @default process.exit */
	readonly exit?: ((code: number) => void) | undefined;
	/** @default process.stderr */
	readonly stderr?: Writable | undefined;
}

/** Runs the mock agent on a pair of byte streams, usually stdin and stdout. Resolves at the end of the input. */
export async function runMockAgentProcess(
	stdin: Readable,
	stdout: Writable,
	options: MockProcessOptions = {},
): Promise<void> {
	const { exit = process.exit, stderr = process.stderr } = options;
	const { ndJsonStream } = await import("@agentclientprotocol/sdk");
	// A client that has gone is noticed by the failing write, which ends the connection.
	stdout.on("error", () => undefined);
	const output = new WritableStream<Uint8Array>({
		write: (chunk) =>
			new Promise((resolve, reject) => {
				stdout.write(chunk, (error) => (error ? reject(error) : resolve()));
			}),
	});
	// Node's declaration of the same standard class; a byte stream yields bytes.
	const input = Readable.toWeb(stdin) as ReadableStream<Uint8Array>;
	await serveMockAgent(ndJsonStream(output, input), {
		store: new MockSessionStore(options.sessionDirectory),
		exit: (code, reason) => {
			// What was said before is in stdout's buffer; the process ends behind it.
			stdout.write("", () => stderr.write(reason, () => exit(code)));
		},
	});
}
