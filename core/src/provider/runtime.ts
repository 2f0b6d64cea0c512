import { SandboxAgentError } from "../errors/index.ts";
import { getDefaultRuntime } from "./default-runtime.ts";
import type { Runtime, RuntimeArtifact, RuntimeSource } from "./runtime-artifact.ts";

/** The two functions of `node:fs/promises` and `node:url` that are used where they exist. */
interface NodeFiles {
	readFile(path: string): Promise<Uint8Array>;
}
interface NodeUrl {
	fileURLToPath(url: URL): string;
}

/**
 * Reads a source lazily: finding the artifact, loading its bytes and hashing them happen at most once and only when
 * asked for.
 *
 * @param source where the runtime is. @default the registered one
 */
export function createRuntime(source: RuntimeSource | undefined = getDefaultRuntime()): Runtime {
	const artifact = once(async (): Promise<RuntimeArtifact> => {
		const found = typeof source === "function" ? await source() : source;
		if (found && (found.path !== undefined || found.url !== undefined || found.bytes !== undefined)) return found;
		throw new SandboxAgentError("runtime_missing", "there is no runtime to put into the sandbox", {
			hint: "pass `runtime: { path | url | bytes }`",
		});
	});
	const bytes = once(async () => {
		const found = await artifact();
		const content = await load(found);
		if (found.sha256 !== undefined) {
			const actual = await digest(content);
			if (actual !== found.sha256.toLowerCase()) {
				throw new SandboxAgentError(
					"runtime_missing",
					`the runtime ${nameOf(found)} has SHA-256 ${actual}, expected ${found.sha256}`,
					{ hint: "rebuild or reinstall it" },
				);
			}
		}
		return content;
	});
	return {
		artifact,
		bytes,
		localPath: once(async () => {
			const found = await artifact();
			if (found.path !== undefined) return found.path;
			const url = found.url === undefined ? undefined : new URL(found.url);
			return url?.protocol === "file:" ? nodeBuiltin<NodeUrl>("node:url")?.fileURLToPath(url) : undefined;
		}),
		sha256: once(async () => (await artifact()).sha256?.toLowerCase() ?? (await digest(await bytes()))),
	};
}

async function load(artifact: RuntimeArtifact): Promise<Uint8Array> {
	if (typeof artifact.bytes === "function") return await artifact.bytes();
	if (artifact.bytes !== undefined) return artifact.bytes;
	const url = artifact.url === undefined ? undefined : new URL(artifact.url);
	try {
		if (artifact.path !== undefined) return await nodeFiles().readFile(artifact.path);
		if (url?.protocol === "file:") return await nodeFiles().readFile(fileUrlPath(url));
		if (url !== undefined) return await download(url);
	} catch (cause) {
		if (SandboxAgentError.isInstance(cause)) throw cause;
		throw new SandboxAgentError("runtime_missing", `the runtime ${nameOf(artifact)} could not be read`, {
			cause,
			hint: "check that it exists, or pass `runtime: { path | url | bytes }`",
		});
	}
	throw new SandboxAgentError("runtime_missing", "the runtime has neither path, url nor bytes");
}

async function download(url: URL): Promise<Uint8Array> {
	const response = await fetch(url);
	if (!response.ok) throw new Error(`${url.href} was answered ${response.status}`);
	return new Uint8Array(await response.arrayBuffer());
}

function nodeFiles(): NodeFiles {
	const files = nodeBuiltin<NodeFiles>("node:fs/promises");
	if (files) return files;
	throw new SandboxAgentError("runtime_missing", "this environment cannot read files", {
		hint: "pass `runtime: { bytes }` or an http(s) `url`",
	});
}

function fileUrlPath(url: URL): string {
	const path = nodeBuiltin<NodeUrl>("node:url")?.fileURLToPath(url);
	if (path !== undefined) return path;
	throw new SandboxAgentError("runtime_missing", `this environment cannot read ${url.href}`, {
		hint: "pass `runtime: { bytes }` or an http(s) `url`",
	});
}

/** A module of Node, Bun or Deno without an import of it: this file is also loaded in browsers and workers. */
function nodeBuiltin<Module>(name: string): Module | undefined {
	const host = globalThis as { process?: { getBuiltinModule?: (name: string) => unknown } };
	// The caller names the module and the part of its type that it uses.
	return host.process?.getBuiltinModule?.(name) as Module | undefined;
}

async function digest(content: Uint8Array): Promise<string> {
	// A view of a shared buffer is not accepted by WebCrypto's types; the copy is made once per start.
	const hash = await crypto.subtle.digest("SHA-256", new Uint8Array(content));
	return Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function nameOf(artifact: RuntimeArtifact): string {
	return artifact.path ?? artifact.url?.toString() ?? "given as bytes";
}

function once<T>(run: () => Promise<T>): () => Promise<T> {
	let result: Promise<T> | undefined;
	return () => {
		result ??= run();
		return result;
	};
}
