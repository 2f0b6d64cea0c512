import type { IncomingMessage } from "node:http";
import { SandboxAgentError } from "@sandbox-agent/core/errors";
import { bodyStalled, clientGone } from "./request-errors.ts";

/** How long a sender may pause between two pieces of a body, in milliseconds. The whole body may take any time. */
const IDLE_TIMEOUT_MS = 30_000;

/** Limits of one body. */
export interface ReadBodyOptions {
	/** Longest body that is accepted, in bytes. */
	readonly maxBytes: number;
	/** Longest pause between two pieces, in milliseconds. @default 30_000 */
	readonly idleTimeoutMs?: number | undefined;
}

/**
 * Reads a whole request body into memory.
 *
 * @throws invalid_request with status 413 when it is longer than `maxBytes`: at once when its announced length says so,
 * else when the limit is passed; the rest is read and dropped so that the sender can read the answer.
 * @throws timeout with status 408 when the sender pauses for too long, connection_lost when it goes away.
 */
export function readBody(request: IncomingMessage, options: ReadBodyOptions): Promise<Buffer> {
	const { maxBytes, idleTimeoutMs = IDLE_TIMEOUT_MS } = options;
	const announced = Number(request.headers["content-length"]);
	if (announced > maxBytes) return Promise.reject(tooLarge(maxBytes));
	return new Promise((resolve, reject) => {
		const chunks: Buffer[] = [];
		let length = 0;
		const idle = setTimeout(() => settle(() => reject(bodyStalled(idleTimeoutMs))), idleTimeoutMs);
		const settle = (finish: () => void) => {
			clearTimeout(idle);
			request.off("data", onData).off("end", onEnd).off("close", onClose).off("error", onClose);
			// A socket error after this point belongs to nobody; the response notices it by itself.
			request.on("error", () => undefined);
			request.resume();
			finish();
		};
		const onData = (chunk: Buffer) => {
			length += chunk.byteLength;
			if (length > maxBytes) {
				settle(() => reject(tooLarge(maxBytes)));
				return;
			}
			chunks.push(chunk);
			idle.refresh();
		};
		const onEnd = () => {
			const [only] = chunks;
			settle(() => resolve(chunks.length === 1 && only ? only : Buffer.concat(chunks, length)));
		};
		const onClose = () => settle(() => reject(clientGone()));
		request.on("data", onData).on("end", onEnd).on("close", onClose).on("error", onClose);
		if (request.destroyed && !request.readableEnded) onClose();
	});
}

function tooLarge(maxBytes: number): SandboxAgentError {
	return new SandboxAgentError("invalid_request", `invalid request: the body is longer than ${maxBytes} bytes`, {
		status: 413,
		title: "Payload Too Large",
		hint: "the limit is the server's option --max-body-bytes",
	});
}
