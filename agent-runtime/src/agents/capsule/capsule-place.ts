import { isAbsolute, resolve } from "node:path";
import type { CapsuleFiles } from "../definitions/definition.ts";
import type { ProgramExchange } from "./program-exchange.ts";

/** Where one agent of this machine keeps its sessions. */
export interface CapsulePlace {
	/** Absolute path of the directory that the paths of a capsule are relative to. It need not exist. */
	readonly root: string;
	/** Patterns, as {@link CapsuleFiles} has them. */
	readonly files: readonly [string, ...string[]];
	/** What writes the files. */
	readonly adapterVersion: string;
	/** For an agent whose sessions are no files: makes them from its sessions and the other way round. */
	readonly exchange?: ProgramExchange | undefined;
}

/**
 * The root of an agent that is launched in this environment.
 *
 * @param homeDirectory for an environment without HOME
 */
export function capsuleRoot(
	{ variable, home }: CapsuleFiles["root"],
	environment: Readonly<Record<string, string>>,
	homeDirectory: string,
): string {
	// Agents are started in the server's own working directory, which is what a relative path is relative to.
	const named = environment[variable];
	if (named) return isAbsolute(named) ? named : resolve(named);
	return resolve(environment.HOME || homeDirectory, home);
}
