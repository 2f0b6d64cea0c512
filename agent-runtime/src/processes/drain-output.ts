import type { Child } from "./spawn-child.ts";

/** Pause between two looks at output whose pipe is still open, in ms. */
const LOOK_MS = 50;
/** Longest time given to such output in all, in ms. */
const TOTAL_MS = 1000;

/**
 * Resolves when the output of a process that has ended is read: its pipes are at their end, or nothing came for a while.
 * Something it has left running in the background may hold the pipes open for ever, and may write to them for ever.
 *
 * @param pieces How many pieces of output were read so far.
 */
export async function drainOutput(child: Child, pieces: () => number): Promise<void> {
	if (child.stdout.closed && child.stderr.closed) return;
	const deadline = performance.now() + TOTAL_MS;
	let timer: NodeJS.Timeout | undefined;
	let onClose: (() => void) | undefined;
	await new Promise<void>((resolve) => {
		onClose = resolve;
		child.once("close", resolve);
		let seen = pieces();
		// Between two looks the event loop has read what was there: two equal counts mean that the pipes are empty.
		timer = setInterval(() => {
			const waits = child.stdout.isPaused() || child.stderr.isPaused();
			if ((pieces() === seen && !waits) || performance.now() >= deadline) resolve();
			seen = pieces();
		}, LOOK_MS);
	});
	clearInterval(timer);
	if (onClose) child.off("close", onClose);
}

/**
 * Lets go of the pipes of a process that has ended. What background children still say is taken and dropped: they must
 * neither wait nor fail because nobody reads.
 */
export function dropRest(child: Child): void {
	child.stdin?.destroy();
	for (const stream of [child.stdout, child.stderr]) stream.removeAllListeners("data").resume();
}
