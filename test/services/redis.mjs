// A Redis server of the tests' own: its data and its process vanish with it. It listens on a socket alone and keeps
// its data in memory.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { findProgram } from "./packages.mjs";

/** Ends the server when its standard input closes, which the system does however the test run ends. */
const SUPERVISOR = `
trap : INT TERM HUP
"$@" </dev/null & server=$!
read -r _
kill "$server"
wait "$server"
rm -rf "$FOLDER"
`;

/**
 * @param {string} directory an empty folder; socket paths are limited to 107 characters
 * @returns {Promise<{ socketPath: string, stop: () => Promise<void> }>}
 */
export async function startRedis(directory) {
	const socketPath = join(directory, "redis.sock");
	const settings = { port: "0", unixsocket: socketPath, dir: directory, save: "", appendonly: "no", daemonize: "no" };
	const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
	const supervisor = spawn("sh", ["-c", SUPERVISOR, "sh", findProgram("redis-server"), ...args], {
		stdio: ["pipe", "pipe", "inherit"],
		env: { ...process.env, FOLDER: directory },
		detached: true,
	});
	const exited = new Promise((settle) => supervisor.once("exit", settle));
	const stop = async () => {
		supervisor.stdin.end();
		await exited;
	};
	const said = [];
	// What it says later is read and dropped, so that it never waits for a reader.
	for await (const line of createInterface({ input: supervisor.stdout })) {
		said.push(line);
		if (!line.includes("eady to accept connections")) continue;
		supervisor.stdout.resume();
		return { socketPath, stop };
	}
	await stop();
	throw new Error(`Redis does not start:\n${said.slice(-15).join("\n")}`);
}
