import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { LaunchContext } from "./definition.ts";

/** What OpenCode asks about unless the user has configured permissions: without this it allows everything. */
const ASK = { bash: "ask", edit: "ask" };

const CONFIG_VARIABLE = "OPENCODE_CONFIG_CONTENT";

/**
 * The variable that makes OpenCode ask before commands and edits. Empty when the user's own configuration, in a file or in
 * the variable, says anything about permissions.
 */
export async function askingConfig(context: LaunchContext): Promise<Record<string, string>> {
	const own = parseConfig(context.environment[CONFIG_VARIABLE]);
	if (own === undefined || "permission" in own || (await filesSetPermission(context))) return {};
	return { [CONFIG_VARIABLE]: JSON.stringify({ ...own, permission: ASK }) };
}

/** The configuration in the variable; `undefined` when it is not JSON, so that OpenCode itself reports that. */
function parseConfig(text: string | undefined): Record<string, unknown> | undefined {
	if (!text) return {};
	try {
		const value: unknown = JSON.parse(text);
		return typeof value === "object" && value !== null ? { ...value } : undefined;
	} catch {
		return undefined;
	}
}

async function filesSetPermission({ environment, homeDirectory }: LaunchContext): Promise<boolean> {
	const directory = join(environment.XDG_CONFIG_HOME || join(homeDirectory, ".config"), "opencode");
	const names = ["opencode.json", "opencode.jsonc", "config.json"].map((name) => join(directory, name));
	const files = environment.OPENCODE_CONFIG ? [environment.OPENCODE_CONFIG, ...names] : names;
	const texts = await Promise.all(files.map(readIfThere));
	// The files may hold comments; a key of that name anywhere is reason enough to leave the choice to the user.
	return texts.some((text) => /"permission"\s*:/.test(text));
}

async function readIfThere(file: string): Promise<string> {
	try {
		return await readFile(file, "utf8");
	} catch {
		// Not there, or not readable for OpenCode either.
		return "";
	}
}
