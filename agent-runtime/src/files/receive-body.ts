import type { IncomingMessage } from "node:http";
import { bodyStalled, clientGone } from "../server/request-errors.ts";

/** How long a sender may pause between two pieces of a body, in milliseconds. The whole body may take any time. */
const IDLE_TIMEOUT_MS = 30_000;

/** What takes the pieces of a body, one after the other. Nothing to wait for where it is done at once. */
export type TakePiece = (piece: Buffer) => Promise<void> | void;

/**
 * Hands the pieces of a request body on as they come, and reads on only when a piece has been taken.
 *
 * @throws timeout with status 408 when the sender pauses for too long, connection_lost when it goes away, and whatever
 * `take` throws; the rest of the body is dropped then.
 */
export function receiveBody(
	request: IncomingMessage,
	take: TakePiece,
	{ idleTimeoutMs = IDLE_TIMEOUT_MS }: { readonly idleTimeoutMs?: number | undefined } = {},
): Promise<void> {
	return new Promise((resolve, reject) => {
		let isTaking = false;
		let isEnded = false;
		const idle = setTimeout(() => {
			// A piece that takes long is our slowness, not the sender's.
			if (!isTaking) settle(() => reject(bodyStalled(idleTimeoutMs)));
		}, idleTimeoutMs);
		const settle = (finish: () => void) => {
			clearTimeout(idle);
			request.off("data", onData).off("end", onEnd).off("close", onClose).off("error", onClose);
			// A socket error after this point belongs to nobody; the response notices it by itself.
			request.on("error", () => undefined);
			request.resume();
			finish();
		};
		const onTaken = () => {
			isTaking = false;
			idle.refresh();
			if (isEnded) settle(resolve);
			else request.resume();
		};
		const onData = (piece: Buffer) => {
			let taken: Promise<void> | void;
			try {
				taken = take(piece);
			} catch (error) {
				settle(() => reject(error));
				return;
			}
			idle.refresh();
			if (!taken) return;
			isTaking = true;
			request.pause();
			taken.then(onTaken, (error: unknown) => settle(() => reject(error)));
		};
		const onEnd = () => {
			isEnded = true;
			if (!isTaking) settle(resolve);
		};
		const onClose = () => {
			if (!isEnded) settle(() => reject(clientGone()));
		};
		request.on("data", onData).on("end", onEnd).on("close", onClose).on("error", onClose);
		if (request.destroyed && !request.readableEnded) onClose();
	});
}
