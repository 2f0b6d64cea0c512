// What a test run leaves on the machine: found by the run's mark in the environment of its processes, by its private
// temp folder, and by the labels of its containers.
import { readdirSync, readFileSync } from "node:fs";
import { run } from "./process.mjs";

/** Name of the variable that every process of a test run inherits. */
export const RUN_VARIABLE = "SANDBOX_AGENT_TEST_RUN";

/** What Node and OpenCode keep in the temp folder by themselves, whoever runs them. */
const CACHES = new Set(["node-compile-cache", "opencode"]);

/** Living processes, other than this one, that carry the mark of a run. Linux only; elsewhere none are found. */
export function markedProcesses(mark) {
	if (process.platform !== "linux") return [];
	return readdirSync("/proc")
		.filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
		.flatMap((pid) => {
			const read = (file) => {
				try {
					return readFileSync(`/proc/${pid}/${file}`, "utf8");
				} catch {
					// It ended meanwhile, or belongs to somebody else.
					return "";
				}
			};
			if (!read("environ").split("\0").includes(`${RUN_VARIABLE}=${mark}`)) return [];
			if (/^State:\s+Z/m.test(read("status"))) return [];
			return [{ pid: Number(pid), command: read("cmdline").replaceAll("\0", " ").trim() }];
		});
}

/** What remains in the run's temp folder. */
export function remainingFiles(folder) {
	return readdirSync(folder).filter((name) => !CACHES.has(name));
}

/** Containers of ours on the daemon the tests used; none without one. */
export async function remainingContainers(env) {
	if (!env.DOCKER_HOST) return [];
	const filter = ["--filter", "label=sandbox-agent"];
	const { code, output } = await run(
		"docker",
		["ps", "--all", "--format", "{{.ID}} {{.Image}} {{.Names}}", ...filter],
		{
			env,
		},
	);
	return code === 0 ? output.split("\n").filter(Boolean) : [];
}
