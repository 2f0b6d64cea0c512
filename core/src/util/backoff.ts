/** Growth of the pauses between tries. */
export interface BackoffOptions {
	/** Pause after the first failure, in milliseconds. */
	readonly firstMs: number;
	/** Longest pause, in milliseconds. */
	readonly maxMs: number;
	/** @default 2 */
	readonly factor?: number;
}

/** The pause after the given failure (1 = first), in milliseconds. Pure; jitter is the caller's choice. */
export function backoffDelay(failures: number, options: BackoffOptions): number {
	const growth = (options.factor ?? 2) ** Math.max(0, failures - 1);
	// After very many failures the growth is infinite, and no pause times that is still no pause.
	return options.firstMs === 0 ? 0 : Math.min(options.maxMs, options.firstMs * growth);
}
