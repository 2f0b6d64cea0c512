import type { ProgressListener, StartProgress } from "../provider/launch.ts";

/** Tells the listener. A listener that throws harms nobody: progress is for show. */
export function report(listener: ProgressListener | undefined, event: StartProgress): void {
	try {
		listener?.(event);
	} catch {
		// The listener is the caller's; its failure must not end the start it watches.
	}
}
