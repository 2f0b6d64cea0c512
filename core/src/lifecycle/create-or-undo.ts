import type { ProgressListener } from "../provider/launch.ts";
import { abortable } from "../util/deadline.ts";
import { settleWithin } from "./settle-within.ts";
import { undo } from "./undo.ts";

/** How long an abort waits for a creation that is under way, so that what it makes is removed before the caller goes on. */
const GRACE_MS = 10_000;

/**
 * Waits for a creation. After an abort the creation is followed to its end, for up to ten seconds in the foreground:
 * either it honours the signal, or it yields something that is removed.
 *
 * @throws the signal's reason when aborted, else what the creation throws
 */
export async function createOrUndo<T>(options: {
	creation: Promise<T>;
	remove: (created: T) => Promise<void>;
	signal: AbortSignal | undefined;
	onProgress: ProgressListener | undefined;
}): Promise<T> {
	const { creation, remove, signal, onProgress } = options;
	try {
		return await abortable(creation, signal);
	} catch (error) {
		if (!signal?.aborted) throw error;
		const cleaned = creation.then(
			(created) => undo(error, [() => remove(created)], onProgress),
			// A creation that fails leaves nothing: that is its own promise.
			() => undefined,
		);
		await settleWithin(cleaned, GRACE_MS);
		throw error;
	}
}
