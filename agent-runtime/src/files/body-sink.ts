import type { ServerResponse } from "node:http";

/** The peer went away; nobody is left to tell. */
export class PeerGone extends Error {
	constructor() {
		super("the client went away before its answer was complete");
	}
}

/**
 * Writes one piece of a body and resolves when the system has taken it, so that its memory can be used again.
 * @throws PeerGone
 */
export function writePiece(response: ServerResponse, piece: string | Uint8Array): Promise<void> {
	return new Promise((resolve, reject) => {
		const onClose = () => reject(new PeerGone());
		if (response.destroyed || response.closed) return onClose();
		response.once("close", onClose);
		response.write(piece, (error) => {
			response.off("close", onClose);
			if (error) onClose();
			else resolve();
		});
	});
}
