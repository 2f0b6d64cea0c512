import { spawn, spawnSync } from "node:child_process";

const MARKER = "SANDBOX_AGENT_BENCH_NAMESPACE";

/**
 * As root on Linux, runs this program again in a network namespace that has a loopback interface and nothing else, because the
 * original reports usage to its maker. Returns the exit code of that run, or undefined when this process is the one to go on.
 */
export async function runInLoopbackNamespace(): Promise<number | undefined> {
	if (process.env[MARKER] === "1") {
		delete process.env[MARKER];
		return undefined;
	}
	if (!canIsolate()) return undefined;
	const script = 'ip link set lo up && exec "$@"';
	const args = ["--net", "sh", "-c", script, "sh", process.execPath, ...process.execArgv, ...process.argv.slice(1)];
	const child = spawn("unshare", args, { stdio: "inherit", env: { ...process.env, [MARKER]: "1" } });
	// A terminal sends Ctrl-C to both; the child cleans up and this process only waits for it.
	const forward = (name: NodeJS.Signals) => child.kill(name);
	const ignore = () => undefined;
	process.on("SIGINT", ignore);
	process.on("SIGTERM", forward);
	try {
		return await new Promise<number>((resolve, reject) => {
			child.once("error", reject);
			child.once("exit", (code) => resolve(code ?? 1));
		});
	} finally {
		process.removeListener("SIGINT", ignore);
		process.removeListener("SIGTERM", forward);
	}
}

/** True when this process can reach nothing but loopback. */
export function isIsolated(): boolean {
	const routes = spawnSync("ip", ["-o", "link", "show", "up"], { encoding: "utf8" });
	return (
		routes.status === 0 &&
		routes.stdout
			.trim()
			.split("\n")
			.every((line) => line.includes(" lo:"))
	);
}

function canIsolate(): boolean {
	if (process.platform !== "linux" || process.getuid?.() !== 0) return false;
	return spawnSync("unshare", ["--net", "ip", "link", "set", "lo", "up"], { stdio: "ignore" }).status === 0;
}
