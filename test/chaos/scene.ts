import { appendFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DurableSessionDriver } from "@sandbox-agent/core/session";
import type { ResumeRung } from "sandbox-agent";
import { RuntimeServer } from "../../sdk/test/support/runtime-server.ts";
import { Agents } from "./agents.ts";
import { BackendProcess } from "./backend-process.ts";
import { Ledger } from "./ledger.ts";
import type { FromBackend } from "./messages.ts";
import { openStore } from "./open-store.ts";
import { Random } from "./random.ts";
import type { ChaosStore } from "./stores.ts";

/** What a run is made of. */
export interface SceneOptions {
	readonly seed: string;
	readonly sessions: number;
	readonly store: (folder: string) => Promise<ChaosStore>;
}

/** Time after which a backend that has died loses its sessions, in milliseconds. */
export const LEASE_MS = 2_000;

/** What each backend accepts when it brings a session back. */
const ALLOWED: readonly (readonly ResumeRung[])[] = [["resume", "load", "replay"], ["load", "replay"], ["replay"]];

/** Everything that takes part in a run: a server, its agents, a store, and the backends that share it. */
export class Scene implements AsyncDisposable {
	readonly folder: string;
	readonly ledger: Ledger;
	readonly agents: Agents;
	readonly server: RuntimeServer;
	readonly store: ChaosStore;
	/** The store as the run itself reads it. */
	readonly driver: DurableSessionDriver;
	readonly backends: BackendProcess[] = [];
	/** Who is to drive each session. */
	readonly #owners = new Map<string, BackendProcess>();
	readonly #random: Random;
	#launching: Promise<void> | undefined;
	#resumed: (() => void) | undefined;
	#keep = false;

	private constructor(options: SceneOptions, parts: { folder: string; server: RuntimeServer; store: ChaosStore }) {
		this.folder = parts.folder;
		this.server = parts.server;
		this.store = parts.store;
		this.driver = openStore(parts.store.options);
		this.agents = new Agents(parts.folder);
		this.ledger = new Ledger(options.seed, options.sessions);
		this.#random = new Random(`${options.seed}/owners`);
	}

	static async open(options: SceneOptions): Promise<Scene> {
		const folder = await mkdtemp(join(tmpdir(), "sandbox-agent-chaos-"));
		const store = await options.store(folder);
		const scene = new Scene(options, { folder, store, server: await RuntimeServer.start() });
		await scene.agents.install(scene.server.home);
		for (const [index, allow] of ALLOWED.entries()) {
			const name = `b${index + 1}`;
			const { server } = scene;
			scene.backends.push(
				await BackendProcess.create(
					{ name, token: server.token, store: store.options, leaseMs: LEASE_MS, allow },
					() => server.port,
					{
						message: (message, from) => scene.#onMessage(message, from),
						death: (from, how) => void scene.ledger.broken.push(`backend ${from.name} ${how}`),
					},
				),
			);
		}
		await Promise.all(scene.backends.map((backend) => backend.start()));
		for (const [index, id] of scene.ledger.sessionIds.entries()) {
			scene.give(id, scene.backends[index % scene.backends.length]);
		}
		return scene;
	}

	/** Backends that are at work. */
	get working(): BackendProcess[] {
		return this.backends.filter(({ standing }) => standing === "up");
	}

	/** Has a backend drive a session from now on. */
	give(sessionId: string, backend: BackendProcess | undefined, { force = false } = {}): void {
		if (!backend) return;
		this.#owners.set(sessionId, backend);
		this.note(`${sessionId} is given to ${backend.name}${force ? " by force" : ""}`);
		backend.send({ type: "drive", sessionId, force });
	}

	/** Gives the sessions of a backend to those that work. */
	spread(from: BackendProcess): void {
		for (const id of this.sessionsOf(from)) {
			this.give(id, this.#random.pick(this.working.filter((backend) => backend !== from)));
		}
	}

	/** Gives a backend its share of sessions, which it takes from the others by force. */
	fill(backend: BackendProcess): void {
		const share = Math.floor(this.ledger.sessionIds.length / this.backends.length);
		const others = this.ledger.sessionIds.filter((id) => this.#owners.get(id) !== backend);
		for (let missing = share - this.sessionsOf(backend).length; missing > 0 && others.length > 0; missing--) {
			const [id] = others.splice(this.#random.int(0, others.length - 1), 1);
			if (id !== undefined) this.give(id, backend, { force: true });
		}
	}

	sessionsOf(backend: BackendProcess): string[] {
		return this.ledger.sessionIds.filter((id) => this.#owners.get(id) === backend);
	}

	/** Starts the server when it does not run. */
	async ensureServer(): Promise<void> {
		if (this.server.isRunning && !this.#launching) return;
		this.#launching ??= this.server.launch().finally(() => {
			this.#launching = undefined;
		});
		await this.#launching;
	}

	/** Has a backend bring back every session. */
	async resumeAll(backend: BackendProcess): Promise<void> {
		const done = new Promise<void>((resolve) => {
			this.#resumed = resolve;
		});
		backend.send({ type: "resume", sessionIds: this.ledger.sessionIds });
		await done;
	}

	/** Writes to the run's log, which is kept when a promise was broken. */
	note(text: string): void {
		appendFileSync(join(this.folder, "run.log"), `${new Date().toISOString()} ${text}\n`);
	}

	/** Leaves the folder and the store where they are. */
	keep(): void {
		this.#keep = true;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		for (const backend of this.backends) await backend[Symbol.asyncDispose]();
		await this.server[Symbol.asyncDispose]();
		await this.driver.close();
		await this.store.close({ keep: this.#keep });
		if (!this.#keep) await rm(this.folder, { recursive: true, force: true });
	}

	#onMessage(message: FromBackend, from: BackendProcess): void {
		switch (message.type) {
			case "question":
				void this.#answer(message, from);
				break;
			case "driving":
				this.ledger.drive(message.sessionId, from.name);
				this.note(`${from.name} drives ${message.sessionId}`);
				break;
			case "ended":
				this.ledger.end(message.ending);
				this.note(`${from.name}: ${message.ending.key} is ${message.ending.state} (${message.ending.told})`);
				break;
			case "receipt":
				this.ledger.countReceipt(message.rung);
				this.note(`${from.name}: ${message.sessionId} came back by ${message.rung}`);
				break;
			case "resumed":
				this.#resumed?.();
				break;
			case "trouble":
				this.note(`${from.name}: ${message.text}`);
				break;
		}
	}

	async #answer({ id, question }: FromBackend & { type: "question" }, from: BackendProcess): Promise<void> {
		if (question.what === "server") {
			// A launch that fails is tried again by whoever asks next.
			await this.ensureServer().catch((error: unknown) => this.note(`the server did not start: ${String(error)}`));
			from.send({ type: "answer", id });
			return;
		}
		const { sessionId } = question;
		const prompt = this.#owners.get(sessionId) === from ? this.ledger.next(sessionId) : undefined;
		from.send({ type: "answer", id, prompt });
	}
}
