/** A tool call of the model. */
export interface ScriptedCall {
	readonly id: string;
	readonly name: string;
	readonly arguments: Record<string, unknown>;
}

/** How the model answers one request. */
export interface ScriptedAnswer {
	/** How the answer ends: whole, with an HTTP error, silent after its first piece, or cut off after it. */
	readonly kind: "whole" | "error" | "hang" | "drop";
	readonly thought?: string | undefined;
	readonly text?: string | undefined;
	readonly call?: ScriptedCall | undefined;
	/** HTTP status of an error; its message is `text`. */
	readonly status?: number | undefined;
	/** Pause between two pieces, in ms. */
	readonly pauseMs?: number | undefined;
	/** Token counts to report. @default derived from the lengths */
	readonly usage?: { readonly input: number; readonly output: number } | undefined;
}

/** Cuts a text after its words. */
export function pieces(text: string): string[] {
	return text.split(/(?<=\s)(?=\S)/);
}
