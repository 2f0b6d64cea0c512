import { Socket } from "node:net";
import { SandboxAgentError } from "@sandbox-agent/core/errors";

/**
 * One end of a socket pair that the parent process made (`stdio: "pipe"` of node's spawn): it is told when the server
 * listens, and its end tells the server that the parent is gone.
 */
export class ReadyDescriptor {
	/** Resolves when the other end is closed. Never rejects. */
	readonly closed: Promise<void>;
	readonly #socket: Socket;

	/**
	 * @param watch Whether the end of the parent matters. If not, the writing end of a pipe is enough, which is what a
	 *   shell can make; reading from that would fail.
	 * @throws start_failed when the descriptor is not open, or is not a socket or pipe.
	 */
	constructor(descriptor: number, watch: boolean) {
		try {
			this.#socket = new Socket({ fd: descriptor, readable: watch, writable: true });
		} catch (cause) {
			throw unusable(descriptor, cause);
		}
		this.closed = new Promise((resolve) => {
			this.#socket.once("close", () => resolve());
		});
		// An error is followed by `close`, which is all that matters here.
		this.#socket.on("error", () => undefined);
		// Reading is what notices the end; what the parent may write means nothing.
		if (watch) this.#socket.resume();
	}

	/** Writes one line of JSON. A parent that is gone already is noticed by `closed`. */
	announce(message: { readonly port: number; readonly pid: number }): Promise<void> {
		return new Promise((resolve) => {
			this.#socket.write(`${JSON.stringify(message)}\n`, () => resolve());
		});
	}

	close(): void {
		this.#socket.destroy();
	}
}

function unusable(descriptor: number, cause: unknown): SandboxAgentError {
	return new SandboxAgentError("start_failed", `--ready-fd ${descriptor} is not an open socket or pipe`, {
		cause,
		retryable: false,
		hint: "start the server with a socket pair at that descriptor",
	});
}
