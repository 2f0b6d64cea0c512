import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { NetworkNamespace } from "./network-namespace.ts";

/** Runs inside: hands what comes through a socket in the file system on to a port. */
const INNER_HALF = `
const { connect, createServer } = require("node:net");
const [path, port] = process.argv.slice(1);
createServer((outside) => {
	const inside = connect(Number(port), "127.0.0.1");
	for (const [from, to] of [[outside, inside], [inside, outside]]) {
		from.pipe(to);
		from.on("error", () => to.destroy());
		from.on("close", () => to.destroy());
	}
}).listen(path, () => console.log("open"));
process.stdin.on("end", () => process.exit()).resume();
`;

/**
 * A way into a namespace, to one port of it. It leads in only: sockets in the file system belong to no network, and what
 * runs inside finds nobody who listens for it.
 */
export class NamespaceGate implements AsyncDisposable {
	readonly #folder: string;
	readonly #inner: ChildProcess;
	readonly #outer: Server;
	readonly #sockets = new Set<Socket>();

	static async open(namespace: NetworkNamespace, port: number): Promise<NamespaceGate> {
		const folder = mkdtempSync(join(tmpdir(), "gate-"));
		const path = join(folder, "socket");
		const [command, args] = namespace.spawnArguments(process.execPath, ["-e", INNER_HALF, path, String(port)]);
		const inner = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
		await once(inner.stdout, "data");
		const gate = new NamespaceGate(folder, path, inner);
		await once(gate.#outer.listen(0, "127.0.0.1"), "listening");
		return gate;
	}

	private constructor(folder: string, path: string, inner: ChildProcess) {
		this.#folder = folder;
		this.#inner = inner;
		this.#outer = createServer((outside) => {
			const inside = connect(path);
			this.#join(outside, inside);
			this.#join(inside, outside);
		});
	}

	/** Where the port is reached from outside. */
	get url(): string {
		return `http://127.0.0.1:${(this.#outer.address() as AddressInfo).port}`;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.#outer.close();
		for (const socket of this.#sockets) socket.destroy();
		if (this.#inner.exitCode === null) {
			const ended = once(this.#inner, "exit");
			this.#inner.stdin?.end();
			await ended;
		}
		rmSync(this.#folder, { recursive: true, force: true });
	}

	#join(from: Socket, to: Socket): void {
		this.#sockets.add(from);
		from.pipe(to);
		from.on("error", () => to.destroy());
		from.on("close", () => {
			this.#sockets.delete(from);
			to.destroy();
		});
	}
}
