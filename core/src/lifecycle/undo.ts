import type { ProgressListener } from "../provider/launch.ts";
import { report } from "./progress.ts";

/** Errors of a clean-up, kept on the error that made it necessary. */
export interface WithCleanupErrors {
	cleanupErrors?: unknown[];
}

/**
 * Runs the clean-up of a failed operation and returns the failure, which stays the first error: what goes wrong while
 * cleaning up is reported and attached to it as `cleanupErrors`.
 */
export async function undo(
	failure: unknown,
	steps: readonly (() => Promise<void> | void)[],
	onProgress?: ProgressListener,
): Promise<unknown> {
	for (const step of steps) {
		try {
			await step();
		} catch (error) {
			report(onProgress, { phase: "undo", message: "cleaning up after a failed start failed", error });
			attach(failure, error);
		}
	}
	return failure;
}

function attach(failure: unknown, error: unknown): void {
	if (!(failure instanceof Error) || !Object.isExtensible(failure)) return;
	const holder: Error & WithCleanupErrors = failure;
	holder.cleanupErrors = [...(holder.cleanupErrors ?? []), error];
}
