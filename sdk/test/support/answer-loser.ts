import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** A TCP proxy in front of a database that loses an answer on demand: the work is done, but nobody hears of it. */
export class AnswerLoser implements AsyncDisposable {
	readonly #server: Server;
	readonly #sockets = new Set<Socket>();
	#words: string | undefined;
	/** How many answers have been lost. */
	lost = 0;

	private constructor(port: number) {
		this.#server = createServer((client) => {
			const server = connect(port, "127.0.0.1");
			let losing = false;
			for (const socket of [client, server]) {
				this.#sockets.add(socket);
				socket.on("error", () => socket.destroy());
				socket.on("close", () => {
					this.#sockets.delete(socket);
					client.destroy();
					server.destroy();
				});
			}
			client.on("data", (data) => {
				if (this.#words !== undefined && data.includes(this.#words)) {
					losing = true;
					this.#words = undefined;
				}
				server.write(data);
			});
			server.on("data", (data) => {
				if (!losing) {
					client.write(data);
					return;
				}
				this.lost++;
				client.destroy();
			});
		});
	}

	static async start(port: number): Promise<AnswerLoser> {
		const proxy = new AnswerLoser(port);
		await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
		return proxy;
	}

	get port(): number {
		return (this.#server.address() as AddressInfo).port;
	}

	/** Breaks the connection of the next request that has these words in it, when its answer comes. */
	loseAnswerTo(words: string): void {
		this.#words = words;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		for (const socket of this.#sockets) socket.destroy();
		await new Promise((resolve) => this.#server.close(resolve));
	}
}
