/**
 * Waits until a promise has settled, in whatever way, or the time is up. For operations that were aborted and should
 * have ended before what they work on is taken away.
 */
export async function settleWithin(promise: Promise<unknown>, milliseconds: number): Promise<void> {
	let timer: ReturnType<typeof setTimeout> | undefined;
	const limit = new Promise<void>((resolve) => {
		timer = setTimeout(resolve, milliseconds);
	});
	const settled = promise.then(
		() => undefined,
		// Whoever started it has its error already, or has lost interest.
		() => undefined,
	);
	await Promise.race([settled, limit]);
	clearTimeout(timer);
}
