import { SandboxAgentError } from "../errors/index.ts";

/**
 * Loads a vendor's package, which the user installs only for the provider in use.
 * @throws peer_missing naming the package and the command that installs it, when it is not there or cannot be loaded.
 */
export async function importPeer<Module>(
	provider: string,
	packageName: string,
	load: () => Promise<Module>,
): Promise<Module> {
	try {
		return await load();
	} catch (cause) {
		throw new SandboxAgentError("peer_missing", `[${provider}] the package ${packageName} could not be loaded`, {
			hint: `install it: npm install ${packageName}`,
			cause,
		});
	}
}
