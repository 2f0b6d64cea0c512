import { createHash } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SandboxAgentError } from "@sandbox-agent/core/errors";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { AcpConnection } from "../../src/acp/connection.ts";
import { parseClientMessage } from "../../src/acp/message.ts";
import { AcpRegistry } from "../../src/acp/registry.ts";
import { AgentDouble } from "./agent-double.ts";
import { ConnectionHistory, type Rpc } from "./connection-history.ts";

/*
 * One connection under arbitrary orders of messages, repetitions, agent output, agent deaths, closings, stops and kills
 * of the server. What is checked is what clients are promised, in terms of what anyone can see (`ConnectionHistory`).
 */

type Saying = "update" | "garbage" | "unasked reply";
type Command =
	| { do: "post"; key: number | undefined; async: boolean; start: boolean; prompt: boolean; sameId: boolean }
	| { do: "notify"; keyed: boolean; start: boolean }
	| { do: "reply"; which: number; also: "nothing" | "update" | "garbage" | "the same" }
	| { do: "say"; what: Saying }
	| { do: "take input"; takesInput: boolean }
	| { do: "exit"; code: number }
	| { do: "let start" | "fail start" | "attach" | "detach" | "close" | "stop server" | "kill server" }
	| { do: "leave"; which: number }
	| { do: "wait"; turns: number };

const SAYINGS: Record<Saying, string> = {
	update: '{"jsonrpc":"2.0","method":"session/update","params":{}}',
	garbage: "Traceback (most recent call last):",
	"unasked reply": '{"jsonrpc":"2.0","id":"nobody","result":{"repeated":true}}',
};

const which = fc.nat(6);
const start = fc.boolean();
const fixed = <Word extends string>(word: Word) => fc.record({ do: fc.constant(word) });
const command: fc.Arbitrary<Command> = fc.oneof(
	{
		weight: 12,
		arbitrary: fc.record({
			do: fc.constant("post" as const),
			key: fc.option(fc.nat(2), { nil: undefined }),
			async: fc.boolean(),
			start,
			prompt: fc.boolean(),
			sameId: fc.boolean(),
		}),
	},
	{ weight: 2, arbitrary: fc.record({ do: fc.constant("notify" as const), keyed: fc.boolean(), start }) },
	{
		weight: 6,
		arbitrary: fc.record({
			do: fc.constant("reply" as const),
			which,
			also: fc.constantFrom("nothing", "update", "garbage", "the same"),
		}),
	},
	{
		weight: 1,
		arbitrary: fc.record({
			do: fc.constant("say" as const),
			what: fc.constantFrom<Saying>("update", "garbage", "unasked reply"),
		}),
	},
	{ weight: 2, arbitrary: fc.record({ do: fc.constant("take input" as const), takesInput: fc.boolean() }) },
	{ weight: 2, arbitrary: fc.record({ do: fc.constant("exit" as const), code: fc.nat(3) }) },
	{ weight: 5, arbitrary: fixed("let start") },
	{ weight: 1, arbitrary: fixed("fail start") },
	{ weight: 2, arbitrary: fixed("attach") },
	{ weight: 1, arbitrary: fixed("detach") },
	{ weight: 1, arbitrary: fixed("close") },
	{ weight: 1, arbitrary: fixed("stop server") },
	{ weight: 1, arbitrary: fixed("kill server") },
	{ weight: 1, arbitrary: fc.record({ do: fc.constant("leave" as const), which }) },
	{ weight: 6, arbitrary: fc.record({ do: fc.constant("wait" as const), turns: fc.integer({ min: 1, max: 3 }) }) },
);

/** One server process. */
class Server {
	readonly registry: AcpRegistry;
	readonly #histories: Map<string, ConnectionHistory>;
	/** Starts that the test has not decided yet. */
	readonly starts: { readonly succeed: () => void; readonly fail: () => void }[] = [];
	agent: AgentDouble | undefined;
	/** What the agent was given and has not answered. */
	readonly unanswered: Rpc[] = [];
	readonly #known = new Map<string, ConnectionHistory>();

	constructor(options: {
		directory: string;
		requestTimeoutMs: number;
		histories: Map<string, ConnectionHistory>;
		onFault: (...fault: unknown[]) => void;
	}) {
		this.#histories = options.histories;
		this.registry = new AcpRegistry({
			stateDirectory: options.directory,
			limits: {
				maxQueuedMessages: 4,
				maxOpenRequests: 6,
				requestTimeoutMs: options.requestTimeoutMs,
				creationWaitMs: 1,
			},
			onError: options.onFault,
			startAgent: (_agent, { signal, onProgress }) => this.#startAgent(signal, onProgress),
		});
		this.registry.restore();
	}

	/** The connection of this server to whose history a message belongs right now. */
	current: ConnectionHistory | undefined;

	historyOf(connection: AcpConnection): ConnectionHistory {
		const { epoch } = connection.log;
		let history = this.#known.get(epoch);
		if (!history) {
			const before = this.#histories.get(epoch);
			expect(before?.isClosed ?? false, "a closed connection comes back").toBe(false);
			history = new ConnectionHistory(connection.log, before);
			this.#known.set(epoch, history);
			this.#histories.set(epoch, history);
		}
		this.current = history;
		return history;
	}

	#startAgent(signal: AbortSignal, onProgress: (progress: object) => void): Promise<AgentDouble> {
		const history = this.current;
		onProgress({ phase: "download" });
		return new Promise((resolve, reject) => {
			const succeed = () => {
				this.unanswered.length = 0;
				const agent = new AgentDouble((line) => {
					const message: Rpc = JSON.parse(line);
					if (this.agent === agent && message.id !== undefined) this.unanswered.push(message);
					history?.given(message.params?.serial ?? 0);
				});
				this.agent = agent;
				resolve(agent);
			};
			this.starts.push({ succeed, fail: () => reject(new Error("no such program")) });
			signal.addEventListener("abort", () => reject(signal.reason));
		});
	}
}

class World {
	readonly #root = mkdtempSync(join(tmpdir(), "sandbox-agent-test-"));
	readonly #requestTimeoutMs: number;
	/** By epoch, as the latest server knows them. */
	readonly #histories = new Map<string, ConnectionHistory>();
	readonly #faults: unknown[] = [];
	readonly #posts: { settled: Promise<void>; leave: () => void }[] = [];
	/** Closings and ends of servers that are under way. */
	readonly #endings: Promise<unknown>[] = [];
	readonly #readers: (() => void)[] = [];
	#servers = 0;
	#directory: string;
	#server: Server;
	#serial = 0;
	#lastId = 0;

	constructor(requestTimeoutMs: number) {
		this.#requestTimeoutMs = requestTimeoutMs;
		this.#directory = this.#newDirectory();
		this.#server = this.#startServer();
	}

	async run(step: Command): Promise<void> {
		const { agent, starts } = this.#server;
		if (step.do === "post") this.#post(step);
		else if (step.do === "notify") this.#notify(step.keyed, step.start);
		else if (step.do === "reply") this.#reply(step.which, step.also);
		else if (step.do === "say") agent?.say([SAYINGS[step.what]]);
		else if (step.do === "take input") agent?.takeInput(step.takesInput);
		else if (step.do === "exit") agent?.exit(step.code);
		else if (step.do === "let start") starts.shift()?.succeed();
		else if (step.do === "fail start") starts.shift()?.fail();
		else if (step.do === "attach") await this.#attach();
		else if (step.do === "detach") this.#readers.shift()?.();
		else if (step.do === "close") await this.#close();
		else if (step.do === "stop server") await this.#stop();
		else if (step.do === "kill server") await this.#kill();
		else if (step.do === "leave") this.#posts[step.which]?.leave();
		else if (step.do === "wait")
			for (let turn = 0; turn < step.turns; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
	}

	async finish(): Promise<void> {
		await this.#attach();
		await this.#close();
		this.#endings.push(this.#server.registry.close());
		await Promise.all([...this.#endings, ...this.#posts.map(({ settled }) => settled)]);
		expect(this.#faults).toEqual([]);
		for (const history of this.#histories.values()) {
			await history.look();
			history.check();
		}
	}

	/** Also after a failure: nothing of it may reach the next world. */
	async dispose(): Promise<void> {
		await this.#server.registry.close();
		rmSync(this.#root, { recursive: true, force: true });
	}

	#newDirectory(): string {
		this.#servers += 1;
		const directory = join(this.#root, String(this.#servers));
		mkdirSync(directory);
		return directory;
	}

	#startServer(): Server {
		return new Server({
			directory: this.#directory,
			requestTimeoutMs: this.#requestTimeoutMs,
			histories: this.#histories,
			onFault: (...fault) => this.#faults.push(...fault),
		});
	}

	#post({ key, async, start: mayStart, prompt, sameId }: Command & { do: "post" }): void {
		if (key !== undefined) {
			const message = { id: `key-${key}`, method: key === 0 ? "session/prompt" : "work", params: { serial: -key - 1 } };
			this.#send(message, `key-${key}`, async, mayStart);
			return;
		}
		this.#serial += 1;
		if (!sameId) this.#lastId = this.#serial;
		const message = { id: this.#lastId, method: prompt ? "session/prompt" : "work", params: { serial: this.#serial } };
		this.#send(message, undefined, async, mayStart);
	}

	#notify(keyed: boolean, mayStart: boolean): void {
		this.#serial += 1;
		const serial = keyed ? -100 : this.#serial;
		this.#send({ method: "note", params: { serial } }, keyed ? "note" : undefined, false, mayStart);
	}

	/** What the route of a POST does. */
	#send(message: Rpc, key: string | undefined, respondAsync: boolean, mayStart: boolean): void {
		const server = this.#server;
		const body = Buffer.from(JSON.stringify({ jsonrpc: "2.0", ...message }));
		let leave: () => void = () => undefined;
		const posting = (async () => {
			const connection = server.registry.require("c", mayStart ? "mock" : undefined);
			const history = server.historyOf(connection);
			try {
				const answer = await connection.post({
					...parseClientMessage(body),
					key: key === undefined ? undefined : { value: key, sha256: createHash("sha256").update(body).digest("hex") },
					mayStart,
					respondAsync,
					onGone: (listener) => {
						leave = listener;
					},
				});
				// What a killed server would have answered nobody hears.
				if (server === this.#server) history.answered(message.params?.serial ?? 0, answer);
			} catch (error) {
				server.registry.discard(connection);
				throw error;
			}
		})();
		const settled = posting.catch((error: unknown) => {
			if (!SandboxAgentError.isInstance(error)) this.#faults.push(error);
		});
		this.#posts.push({ settled, leave: () => leave() });
	}

	#reply(index: number, also: string): void {
		const { agent, unanswered } = this.#server;
		const [message] = unanswered.splice(index, 1);
		if (!message) return;
		const reply = (result: object) => JSON.stringify({ jsonrpc: "2.0", id: message.id, result });
		const lines = [reply({ serial: message.params?.serial })];
		if (also === "update") lines.unshift(SAYINGS.update);
		if (also === "garbage") lines.push(SAYINGS.garbage);
		if (also === "the same") lines.push(reply({ repeated: true }));
		agent?.say(lines);
	}

	async #attach(): Promise<void> {
		const server = this.#server;
		const connection = await server.registry.find("c", AbortSignal.abort());
		if (!connection || server !== this.#server) return;
		server.historyOf(connection);
		let detach: (() => void) | undefined = connection.attachReader();
		const leave = () => {
			detach?.();
			detach = undefined;
		};
		connection.ended.addEventListener("abort", leave, { once: true });
		if (connection.ended.aborted) leave();
		this.#readers.push(leave);
	}

	async #close(): Promise<void> {
		const connection = await this.#server.registry.find("c", AbortSignal.abort());
		if (connection) this.#server.historyOf(connection);
		// Afterwards the files of the log are in the archive, where its reader does not find them.
		await this.#lookAtAll();
		const server = this.#server;
		const history = server.current;
		const known = server.registry.list().length > 0;
		this.#endings.push(
			server.registry.delete("c").then(() => {
				if (history && known && server === this.#server) history.isClosed = true;
			}),
		);
	}

	/** Stops the server while a message arrives, and starts another one on its state. */
	async #stop(): Promise<void> {
		await this.#lookAtAll();
		const stopping = this.#server.registry.close();
		this.#post({ do: "post", key: 0, async: true, start: true, prompt: true, sameId: false });
		this.#post({ do: "post", key: undefined, async: false, start: true, prompt: true, sameId: false });
		await stopping;
		await this.#lookAtAll();
		this.#server = this.#startServer();
	}

	/** Goes on with what is on disk at this moment. The killed server goes on, too, where nobody sees it. */
	async #kill(): Promise<void> {
		await this.#lookAtAll();
		const killed = this.#server;
		const directory = this.#newDirectory();
		cpSync(this.#directory, directory, { recursive: true });
		for (const history of this.#histories.values()) history.freeze();
		this.#directory = directory;
		this.#server = this.#startServer();
		for (const leave of this.#readers.splice(0)) leave();
		this.#endings.push(killed.registry.close());
	}

	async #lookAtAll(): Promise<void> {
		for (const history of this.#histories.values()) await history.look();
	}
}

describe("a connection", () => {
	it.each([60_000, 1])(
		"settles every accepted request once and runs nothing twice, whatever happens [acp/one-terminal] (limit %i ms)",
		{ timeout: 120_000 },
		async (requestTimeoutMs) => {
			await fc.assert(
				fc.asyncProperty(fc.array(command, { maxLength: 40 }), async (commands) => {
					const world = new World(requestTimeoutMs);
					try {
						for (const step of commands) await world.run(step);
						await withinLimit(world.finish());
					} finally {
						await world.dispose();
					}
				}),
				{ numRuns: 200 },
			);
		},
	);
});

/** A hang is a failure that can be shrunk. */
async function withinLimit(work: Promise<void>): Promise<void> {
	let timer: NodeJS.Timeout | undefined;
	const limit = new Promise<never>((_resolve, reject) => {
		timer = setTimeout(() => reject(new Error("something hangs")), 5_000);
	});
	try {
		await Promise.race([work, limit]);
	} finally {
		clearTimeout(timer);
	}
}
