import type { AgentId } from "@sandbox-agent/core/api";
import lock from "../agents.lock.json" with { type: "json" };

/** One archive on the npm registry. */
export interface LockedPackage {
	/** Name on the npm registry. */
	readonly package: string;
	/** Exact version. */
	readonly version: string;
	/** `sha512-…` of the package's archive, as the registry publishes it. */
	readonly integrity: string;
}

/** The one version of an agent that this build was tested with. */
export interface PinnedPackage extends LockedPackage {
	/** The agent itself, where the package is only its adapter. */
	readonly companion?: LockedPackage;
	/** What it takes on the disk, by platform and architecture, where it was measured. */
	readonly unpackedBytes?: Readonly<Partial<Record<string, number>>>;
}

const PINS: Readonly<Partial<Record<string, PinnedPackage>>> = lock;

/** What is installed for an agent; `undefined` for agents that are not installed from npm. */
export function pinnedPackage(id: AgentId): PinnedPackage | undefined {
	return PINS[id];
}
