import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import {
	defineProvider,
	type ExecOptions,
	type ExecResult,
	type ProviderSpec,
	type SandboxHandle,
	type SandboxProvider,
	sandboxDestroyed,
	type UploadFile,
} from "../../../src/provider/index.ts";

/** The file that stands for the runtime: a real program with the runtime's command line. */
export const STAND_IN = fileURLToPath(new URL("./stand-in-server.mjs", import.meta.url));

/** What happened in the sandboxes of a provider, in order. */
export interface HostCall {
	readonly operation: "create" | "connect" | "exec" | "upload" | "endpoint" | "destroy" | "pause";
	/** The command of an exec, else empty. */
	readonly command: string;
	readonly env: Readonly<Record<string, string>>;
}

/** A provider whose sandboxes are private home folders on this machine, with the real shell in them. */
export interface HostProvider extends AsyncDisposable {
	readonly provider: SandboxProvider;
	readonly spec: ProviderSpec;
	readonly calls: HostCall[];
	/** Sandboxes that exist. */
	sandboxes(): string[];
	/** Folder of the server's state in a sandbox. */
	stateOf(id: string): string;
	/** The sandbox's folder of runtimes. */
	runtimesOf(id: string): string;
	pidOf(id: string): number;
}

/** Options of {@link hostProvider}. */
export interface HostProviderOptions {
	/** Variables of every command, over those of this process. */
	readonly env?: Record<string, string>;
	/** Replaces operations of the spec, to make them fail. */
	readonly faults?: (spec: ProviderSpec) => Partial<ProviderSpec>;
	/** Replaces operations of each handle. */
	readonly handleFaults?: (handle: SandboxHandle) => Partial<SandboxHandle>;
}

/** Makes such a provider; disposing it ends its servers and removes its folders. */
export async function hostProvider(options: HostProviderOptions = {}): Promise<HostProvider> {
	const root = mkdtempSync(join(tmpdir(), "host-provider-"));
	const port = await freePort();
	const calls: HostCall[] = [];
	const record = (operation: HostCall["operation"], command = "", env: Readonly<Record<string, string>> = {}) => {
		calls.push({ operation, command, env });
	};
	const runtimesOf = (id: string) => join(root, id, ".local/share/sandbox-agent/runtime");
	const stateOf = (id: string) => join(runtimesOf(id), `port-${port}`);
	const pidOf = (id: string) => Number(readFileSync(join(stateOf(id), "pid"), "utf8"));
	const handleOf = (id: string): SandboxHandle => {
		const handle: SandboxHandle = {
			id,
			exec: (command, execOptions = {}) => {
				record("exec", command, execOptions.env);
				return exec(command, { ...execOptions, env: { ...options.env, ...execOptions.env } }, join(root, id));
			},
			spawn: () => Promise.reject(new Error("not used by the lifecycle")),
			upload: async (files, { signal } = {}) => {
				record("upload");
				signal?.throwIfAborted();
				for (const file of files) await write(file);
			},
			endpoint: async () => {
				record("endpoint");
				return { url: `http://127.0.0.1:${port}` };
			},
		};
		return { ...handle, ...options.handleFaults?.(handle) };
	};
	const spec: ProviderSpec = {
		name: "host",
		host: "127.0.0.1",
		port,
		capabilities: { pause: "none", idempotentCreate: "none", extraPorts: "any" },
		create: async ({ key }) => {
			record("create");
			await mkdir(join(root, key));
			return handleOf(key);
		},
		status: async (id) => (existsSync(join(root, id)) ? "running" : "gone"),
		connect: async (id) => {
			record("connect");
			if (!existsSync(join(root, id))) throw sandboxDestroyed("host", id);
			return handleOf(id);
		},
		destroy: async (id) => {
			record("destroy");
			endServer(join(stateOf(id), "pid"));
			rmSync(join(root, id), { recursive: true, force: true });
		},
	};
	const faulty = { ...spec, ...options.faults?.(spec) };
	return {
		provider: defineProvider(faulty),
		spec: faulty,
		calls,
		sandboxes: () => readdirSync(root),
		stateOf,
		runtimesOf,
		pidOf,
		async [Symbol.asyncDispose]() {
			for (const id of readdirSync(root)) endServer(join(stateOf(id), "pid"));
			rmSync(root, { recursive: true, force: true, maxRetries: 10 });
		},
	};
}

function exec(command: string, options: ExecOptions, home: string): Promise<ExecResult> {
	return new Promise((resolve, reject) => {
		const environment = { ...process.env, HOME: home, XDG_DATA_HOME: "", XDG_STATE_HOME: "", ...options.env };
		const child = spawn("/bin/sh", ["-c", command], { env: environment, stdio: ["ignore", "pipe", "pipe"] });
		let stdout = "";
		let stderr = "";
		child.stdout.on("data", (chunk: Buffer) => {
			stdout += chunk.toString("utf8");
		});
		child.stderr.on("data", (chunk: Buffer) => {
			stderr += chunk.toString("utf8");
		});
		const onAbort = () => child.kill("SIGKILL");
		if (options.signal?.aborted) onAbort();
		options.signal?.addEventListener("abort", onAbort, { once: true });
		child.on("error", reject);
		// `close`, as vendors do it: the command has ended when everything that holds its output has let go.
		child.on("close", (code) => {
			options.signal?.removeEventListener("abort", onAbort);
			if (options.signal?.aborted) reject(options.signal.reason);
			else resolve({ exitCode: code ?? -1, stdout, stderr });
		});
	});
}

async function write(file: UploadFile): Promise<void> {
	await mkdir(dirname(file.path), { recursive: true });
	await writeFile(file.path, file.data, { mode: file.mode ?? 0o644 });
}

function endServer(pidFile: string): void {
	if (!existsSync(pidFile)) return;
	try {
		process.kill(Number(readFileSync(pidFile, "utf8")), "SIGKILL");
	} catch {
		// It has ended already.
	}
}

function freePort(): Promise<number> {
	return new Promise((resolve, reject) => {
		const server = createServer();
		server.once("error", reject);
		server.listen(0, "127.0.0.1", () => {
			const address = server.address();
			const port = typeof address === "object" && address ? address.port : 0;
			server.close(() => resolve(port));
		});
	});
}
