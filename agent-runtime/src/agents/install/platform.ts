import type { PlatformKey } from "../definitions/definition.ts";

/** The machine that native packages are chosen for. */
export function platformKey(): PlatformKey {
	return { os: process.platform, arch: process.arch, musl: process.platform === "linux" && !hasGlibc() };
}

function hasGlibc(): boolean {
	// A switch that the types do not know yet: without it the report looks up the names of all open connections, which can take seconds.
	Object.assign(process.report, { excludeNetwork: true });
	const report: unknown = process.report.getReport();
	const header = typeof report === "object" && report !== null && "header" in report ? report.header : undefined;
	return typeof header === "object" && header !== null && "glibcVersionRuntime" in header;
}
