import type { AddressInfo } from "node:net";
import { createServer, type Server, type Socket, connect as tcpConnect } from "node:net";

/** What a proxy does to one connection. */
export type Fault =
	/** Forwards everything. */
	| "none"
	/** Answers 502 in the server's place. */
	| "bad-gateway"
	/** Forwards the request, then breaks the connection before the first byte of the answer. */
	| "lose-answer"
	/** Accepts the connection and never says a word. */
	| "black-hole";

/** A TCP proxy in front of a server that breaks things on demand. Each connection keeps the fault it began with. */
export class FaultProxy implements AsyncDisposable {
	/** Decides by the head of the request: `POST /v1/acp/... HTTP/1.1` and its headers. */
	fault: (head: string) => Fault = () => "none";
	/** Heads of all requests, in order of arrival, as far as each began a connection or a packet. */
	readonly heads: string[] = [];
	readonly #sockets = new Set<Socket>();
	readonly #server: Server;
	#frozen = false;

	private constructor(target: () => number) {
		this.#server = createServer((client) => this.#accept(client, target()));
	}

	/** @param target port of the server, asked for each connection */
	static async start(target: () => number): Promise<FaultProxy> {
		const proxy = new FaultProxy(target);
		await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
		return proxy;
	}

	get url(): string {
		return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
	}

	/** Breaks all connections. */
	cut(): void {
		for (const socket of this.#sockets) socket.destroy();
	}

	/** Lets the connections that exist now die silently: nothing goes through them any more, nobody is told. */
	freeze(): void {
		this.#frozen = true;
		for (const socket of this.#sockets) socket.pause();
		this.#frozen = false;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.cut();
		await new Promise((resolve) => this.#server.close(resolve));
	}

	#accept(client: Socket, port: number): void {
		this.#track(client);
		client.once("data", (first) => {
			const head = first.toString("latin1").split("\r\n\r\n", 1)[0] ?? "";
			this.heads.push(head);
			const fault = this.fault(head);
			if (fault === "black-hole") return;
			if (fault === "bad-gateway") {
				client.end(
					"HTTP/1.1 502 Bad Gateway\r\ncontent-type: text/html\r\ncontent-length: 11\r\nconnection: close\r\n\r\nBad Gateway",
				);
				return;
			}
			const server = tcpConnect(port, "127.0.0.1");
			this.#track(server);
			server.on("close", () => client.destroy());
			client.on("close", () => server.destroy());
			server.write(first);
			client.on("data", (chunk: Buffer) => {
				const text = chunk.subarray(0, 16).toString("latin1");
				if (/^(?:GET|POST|DELETE) /.test(text)) {
					const next = chunk.toString("latin1").split("\r\n\r\n", 1)[0] ?? "";
					this.heads.push(next);
					const later = this.fault(next);
					if (later === "bad-gateway" || later === "black-hole") {
						client.destroy();
						return;
					}
					if (later === "lose-answer") loseAnswer(client, server);
				}
				server.write(chunk);
			});
			if (fault === "lose-answer") loseAnswer(client, server);
			else server.on("data", (chunk) => client.write(chunk));
		});
	}

	#track(socket: Socket): void {
		this.#sockets.add(socket);
		socket.on("error", () => socket.destroy());
		socket.on("close", () => this.#sockets.delete(socket));
		if (this.#frozen) socket.pause();
	}
}

function loseAnswer(client: Socket, server: Socket): void {
	server.removeAllListeners("data");
	server.once("data", () => client.destroy());
}
