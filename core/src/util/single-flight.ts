/**
 * Makes concurrent callers share one run. A call that comes while a run is under way gets that run's promise; one that
 * comes later starts a new run.
 */
export function singleFlight<T>(run: () => Promise<T>): () => Promise<T> {
	let current: Promise<T> | undefined;
	return () => {
		current ??= run().finally(() => {
			current = undefined;
		});
		return current;
	};
}
