import * as nodeModule from "node:module";

/** When the compiled code is written, in milliseconds after the call: behind the first requests. */
const FLUSH_AFTER_MS = 1_000;

/**
 * Writes the compile cache, where whoever started this process has switched one on (NODE_COMPILE_CACHE, or
 * `module.enableCompileCache()` before the import). Node does so by itself at a clean exit alone, and servers are often
 * killed.
 */
export function flushCompileCacheLater(): void {
	const { getCompileCacheDir, flushCompileCache } = nodeModule;
	// Node 20 has neither; without a cache there is no directory.
	if (!getCompileCacheDir?.() || !flushCompileCache) return;
	setTimeout(flushCompileCache, FLUSH_AFTER_MS).unref();
}
