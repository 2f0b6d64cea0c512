// Running other programs, for the project's own scripts. Node only.
import { spawn } from "node:child_process";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository. */
export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/**
 * Runs a program to its end and collects what it prints.
 * @param {string} file
 * @param {readonly string[]} args
 * @param {{ env?: NodeJS.ProcessEnv, cwd?: string, onOutput?: (text: string) => void, signal?: AbortSignal }} [options]
 *   `onOutput` sees stdout and stderr as they come.
 * @returns {Promise<{ code: number, output: string }>} never rejects; a program that cannot be run is code 127
 */
export function run(file, args, { env = process.env, cwd = ROOT, onOutput, signal } = {}) {
	return new Promise((resolve) => {
		const child = spawn(file, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"], signal, killSignal: "SIGTERM" });
		let output = "";
		const take = (chunk) => {
			const text = chunk.toString("utf8");
			output += text;
			onOutput?.(text);
		};
		child.stdout.on("data", take);
		child.stderr.on("data", take);
		child.on("error", (error) => resolve({ code: 127, output: `${output}${error.message}\n` }));
		child.on("close", (code, name) => resolve({ code: code ?? (name ? 143 : 1), output }));
	});
}

/** Seconds since a `Date.now()`, as a person reads them. */
export function seconds(since) {
	return `${((Date.now() - since) / 1000).toFixed(1)} s`;
}

const colours = process.stdout.isTTY && !process.env.NO_COLOR;

/** The text in one of the few styles the scripts use; plain where nobody looks. */
export function style(kind, text) {
	const code = { dim: 2, red: 31, green: 32, yellow: 33, bold: 1 }[kind];
	return colours ? `\u001b[${code}m${text}\u001b[0m` : text;
}
