import { spawn } from "node:child_process";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { ExecOptions, ExecResult, SpawnedProcess, UploadFile } from "@sandbox-agent/core/provider";

/** Runs a shell command on this machine. The whole process group dies with a time-out or an abort. */
export function execOnHost(command: string, options: ExecOptions = {}): Promise<ExecResult> {
	return new Promise((resolve, reject) => {
		const { signal, timeoutMs } = options;
		if (signal?.aborted) {
			reject(signal.reason);
			return;
		}
		const child = spawn("/bin/sh", ["-c", command], {
			cwd: options.cwd,
			env: { ...process.env, ...options.env },
			stdio: ["pipe", "pipe", "pipe"],
			detached: true,
		});
		const stdout: Buffer[] = [];
		const stderr: Buffer[] = [];
		const killGroup = () => killProcessGroup(child.pid);
		let timedOut = false;
		const timer =
			timeoutMs === undefined
				? undefined
				: setTimeout(() => {
						timedOut = true;
						killGroup();
					}, timeoutMs);
		signal?.addEventListener("abort", killGroup, { once: true });
		const finish = () => {
			clearTimeout(timer);
			signal?.removeEventListener("abort", killGroup);
		};
		child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
		child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
		// A command that does not read its input closes the pipe early; its exit code tells the rest.
		child.stdin.on("error", () => undefined);
		child.stdin.end(options.stdin);
		child.on("error", (error) => {
			finish();
			reject(error);
		});
		child.on("close", (code) => {
			finish();
			if (signal?.aborted) reject(signal.reason);
			else if (timedOut) reject(new Error(`the command did not end within ${timeoutMs} ms`));
			else {
				const text = (chunks: Buffer[]) => Buffer.concat(chunks).toString("utf8");
				resolve({ exitCode: code ?? -1, stdout: text(stdout), stderr: text(stderr) });
			}
		});
	});
}

/** Starts a shell command on this machine that outlives this program. */
export async function spawnOnHost(command: string, options: ExecOptions = {}): Promise<SpawnedProcess> {
	const child = spawn("/bin/sh", ["-c", command], {
		cwd: options.cwd,
		env: { ...process.env, ...options.env },
		stdio: "ignore",
		detached: true,
	});
	child.unref();
	await new Promise<void>((resolve, reject) => {
		child.once("spawn", resolve);
		child.once("error", reject);
	});
	return { exited: new Promise((resolve) => child.once("exit", (code) => resolve(code))) };
}

/** Writes files on this machine, each complete or not at all. */
export async function uploadToHost(files: readonly UploadFile[]): Promise<void> {
	for (const file of files) {
		await mkdir(dirname(file.path), { recursive: true });
		const partial = `${file.path}.${process.pid}.part`;
		await writeFile(partial, file.data, { mode: file.mode ?? 0o644 });
		await rename(partial, file.path);
	}
}

/** Kills a process and everything in its group. */
export function killProcessGroup(pid: number | undefined, signal: NodeJS.Signals = "SIGKILL"): void {
	if (pid === undefined) return;
	try {
		process.kill(-pid, signal);
	} catch (error) {
		// ESRCH: all of them have ended already.
		if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
	}
}
