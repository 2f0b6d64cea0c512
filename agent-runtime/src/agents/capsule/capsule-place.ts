import { isAbsolute, resolve } from "node:path";
import type { CapsuleLayout } from "../definitions/definition.ts";

/** Where one agent of this machine keeps its sessions. */
export interface CapsulePlace {
	/** Absolute path of the directory that the paths of a capsule are relative to. It need not exist. */
	readonly root: string;
	readonly layout: CapsuleLayout;
	/** What writes the files. */
	readonly adapterVersion: string;
}

/**
 * The root of an agent that is launched in this environment.
 *
 * @param homeDirectory for an environment without HOME
 */
export function capsuleRoot(
	layout: CapsuleLayout,
	environment: Readonly<Record<string, string>>,
	homeDirectory: string,
): string {
	const { variable, home } = layout.root;
	// Agents are started in the server's own working directory, which is what a relative path is relative to.
	const named = environment[variable];
	if (named) return isAbsolute(named) ? named : resolve(named);
	return resolve(environment.HOME || homeDirectory, home);
}
