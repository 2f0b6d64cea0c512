import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { NpmSource } from "../definitions/definition.ts";
import { quote } from "./launcher.ts";

const COMPANION_FILE = "companion";

/** Where the script lies that starts the companion in a tree. */
export function companionPath(tree: string): string {
	return join(tree, COMPANION_FILE);
}

/**
 * Writes that script. The companion's own first line asks for whatever Node is on PATH, where none may be, or one that is
 * too old. The tree may be moved afterwards; a Node that has gone is looked for on PATH.
 */
export async function writeCompanion(tree: string, script: string, nodeProgram: string): Promise<void> {
	const file = companionPath(tree);
	const lines = [
		"#!/bin/sh",
		`node=${quote(nodeProgram)}`,
		'[ -x "$node" ] || node=node',
		`exec "$node" "\${0%/*}/node_modules/"${quote(script)} "$@"`,
	];
	await writeFile(file, `${lines.join("\n")}\n`);
	await chmod(file, 0o755);
}

/** What tells an adapter where its companion is. */
export function companionVariables(tree: string, source: NpmSource): Record<string, string> {
	return source.companion ? { [source.companion.variable]: companionPath(tree) } : {};
}
