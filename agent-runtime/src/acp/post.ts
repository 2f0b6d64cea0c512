import type { ClientMessage } from "./message.ts";

/** A message that is to be accepted, with what its POST asked for. */
export interface Posted extends ClientMessage {
	readonly key?: { readonly value: string; readonly sha256: string } | undefined;
	/** Start the agent when it does not run. */
	readonly mayStart: boolean;
	/** Answer as soon as the message is recorded. */
	readonly respondAsync: boolean;
	/** Calls the listener when the client is gone, or has been answered. */
	readonly onGone: (listener: () => void) => void;
}

/** How a POST is answered. */
export type PostAnswer =
	| { readonly status: 200; readonly line: Uint8Array }
	| { readonly status: 202; readonly preferenceApplied?: boolean };
