import type { SandboxProvider } from "sandbox-agent";
import { RuntimeServer } from "./runtime-server.ts";

/** A provider in the plain shape of earlier versions: its sandboxes are servers on this machine. */
export class RuntimeProvider implements SandboxProvider, AsyncDisposable {
	readonly name = "runtime";
	readonly defaultCwd = "/tmp";
	readonly calls: string[] = [];
	readonly servers = new Map<string, RuntimeServer>();
	/** Sandboxes that are gone for good. */
	readonly gone = new Set<string>();
	pause?: (id: string) => Promise<void>;

	async create(): Promise<string> {
		this.calls.push("create");
		const id = `r${this.servers.size + 1}`;
		this.servers.set(id, await RuntimeServer.start());
		return id;
	}

	async destroy(id: string): Promise<void> {
		this.calls.push("destroy");
		await this.server(id)[Symbol.asyncDispose]();
	}

	async getUrl(id: string): Promise<string> {
		return this.server(id).url;
	}

	async getToken(id: string): Promise<string> {
		return this.server(id).token;
	}

	async ensureServer(id: string): Promise<void> {
		this.calls.push("ensureServer");
		if (!this.server(id).isRunning) await this.server(id).launch();
	}

	async reconnect(id: string): Promise<void> {
		this.calls.push("reconnect");
		if (this.gone.has(id)) {
			const { SandboxDestroyedError } = await import("sandbox-agent");
			throw new SandboxDestroyedError(id, this.name);
		}
	}

	server(id: string): RuntimeServer {
		const server = this.servers.get(id);
		if (!server) throw new Error(`no sandbox ${id}`);
		return server;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		for (const server of this.servers.values()) await server[Symbol.asyncDispose]();
	}
}
