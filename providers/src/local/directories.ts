import { homedir } from "node:os";
import { join } from "node:path";

/** Where servers of this machine keep what must survive them. */
export function stateDirectory(environment: NodeJS.ProcessEnv = process.env): string {
	const home = environment.HOME || homedir();
	return join(environment.XDG_STATE_HOME || join(home, ".local", "state"), "sandbox-agent");
}

/** Where runtimes and agents are installed. */
export function dataDirectory(environment: NodeJS.ProcessEnv = process.env): string {
	const home = environment.HOME || homedir();
	return join(environment.XDG_DATA_HOME || join(home, ".local", "share"), "sandbox-agent");
}
