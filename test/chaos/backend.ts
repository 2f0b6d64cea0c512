// A backend: it drives the sessions it is told to drive, until it is killed.
//
//   node test/chaos/backend.ts <options as JSON>
import { SandboxAgent, SandboxAgentError, type SandboxProvider, type Session } from "sandbox-agent";
import type { BackendOptions, FromBackend, Question, ToBackend } from "./messages.ts";
import { openStore } from "./open-store.ts";
import { blocksOf, type Prompt } from "./prompts.ts";

const AGAIN_MS = 100;
const AGENT = "mock";

class Backend {
	readonly #client: SandboxAgent;
	readonly #ask: (question: Question) => Promise<Prompt | undefined>;
	readonly #listening = new Set<string>();
	readonly #driving = new Set<string>();

	constructor(client: SandboxAgent, ask: (question: Question) => Promise<Prompt | undefined>) {
		this.#client = client;
		this.#ask = ask;
	}

	/** Sends a session one prompt after another until it is somebody else's. */
	async drive(sessionId: string, force: boolean): Promise<void> {
		if (this.#driving.has(sessionId)) return;
		this.#driving.add(sessionId);
		try {
			let session: Session | undefined;
			let prompt = await this.#ask({ what: "prompt", sessionId });
			while (prompt) {
				if (!session) {
					session = await this.#take(sessionId, force);
					if (session) send({ type: "driving", sessionId });
				}
				if (!session || !(await this.#prompt(session, prompt))) {
					// Somebody else may have got it: it is asked for anew.
					session = undefined;
					await pause(AGAIN_MS);
				}
				prompt = await this.#ask({ what: "prompt", sessionId });
			}
		} finally {
			this.#driving.delete(sessionId);
		}
	}

	/** Brings sessions back without prompting. */
	async resume(sessionIds: readonly string[]): Promise<void> {
		for (const sessionId of sessionIds) while (!(await this.#take(sessionId, false))) await pause(AGAIN_MS);
		send({ type: "resumed" });
	}

	async #take(sessionId: string, force: boolean): Promise<Session | undefined> {
		try {
			// Before the session is brought back: a question may come with it.
			if (await this.#client.getSession(sessionId)) this.#answerQuestions(sessionId);
			const session = await this.#client.resumeOrCreateSession({ id: sessionId, agent: AGENT }, { force });
			this.#answerQuestions(sessionId);
			return session;
		} catch (error) {
			report(error, `taking ${sessionId}`);
			return undefined;
		}
	}

	#answerQuestions(sessionId: string): void {
		if (this.#listening.has(sessionId)) return;
		this.#listening.add(sessionId);
		this.#client.onPermissionRequest(sessionId, ({ id }) => void this.#answer(sessionId, id));
	}

	/** Says yes, until it is heard or the question is somebody else's. */
	async #answer(sessionId: string, questionId: string): Promise<void> {
		const isOpen = () => this.#client.pendingPermissions(sessionId).some(({ id }) => id === questionId);
		while (isOpen()) {
			try {
				await this.#client.respondPermission(questionId, "once");
				return;
			} catch (error) {
				report(error, `answering in ${sessionId}`);
				if (SandboxAgentError.isInstance(error, "lease_lost")) return;
				await pause(AGAIN_MS);
			}
		}
	}

	/** Sends a prompt, or finds out what became of it. Resolves with whether it has ended. */
	async #prompt(session: Session, prompt: Prompt): Promise<boolean> {
		const { id: sessionId } = session;
		const { key } = prompt;
		let told = "resolved";
		try {
			await session.prompt(blocksOf(prompt), { idempotencyKey: key });
		} catch (error) {
			told = SandboxAgentError.isInstance(error) ? error.code : String(error);
			report(error, `prompt ${key}`);
		}
		try {
			const turn = await session.getTurn(key);
			if (turn.endedAt === undefined) return false;
			send({ type: "ended", ending: { sessionId, key, state: turn.state, told } });
			return true;
		} catch (error) {
			report(error, `looking for turn ${key}`);
			return false;
		}
	}
}

function send(message: FromBackend): void {
	// The one who reads it may have gone first.
	if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
}

function report(error: unknown, context: string): void {
	const text = error instanceof Error ? error.message : String(error);
	send({ type: "trouble", text: `${context}: ${text}` });
}

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

const options = JSON.parse(process.argv[2] ?? "") as BackendOptions;
const answers = new Map<number, (prompt: Prompt | undefined) => void>();
let questions = 0;
const ask = (question: Question) =>
	new Promise<Prompt | undefined>((resolve) => {
		const id = ++questions;
		answers.set(id, resolve);
		send({ type: "question", id, question });
	});

const provider: SandboxProvider = {
	name: "chaos",
	defaultCwd: "/tmp",
	create: async () => "box",
	destroy: async () => undefined,
	getUrl: async () => options.url,
	getToken: async () => options.token,
	reconnect: async () => undefined,
	ensureServer: async () => void (await ask({ what: "server" })),
};

// Without the run there is nothing to do.
process.on("disconnect", () => process.exit(1));
const store = openStore(options.store);
const starting = SandboxAgent.start({
	sandbox: provider,
	sandboxId: "chaos/box",
	persist: store,
	lease: { owner: `${options.name}-${process.pid}`, ttlMs: options.leaseMs },
	recovery: { firstDelayMs: 20, maxDelayMs: 500, idleMs: 5_000, answerMs: 3_000 },
	resume: { allow: options.allow },
	onReceipt: ({ rung }, { id }) => send({ type: "receipt", sessionId: id, rung }),
	onError: report,
});
// Before anything is waited for: answers come while the client starts.
process.on("message", async (message: ToBackend) => {
	if (message.type === "answer") {
		answers.get(message.id)?.(message.prompt);
		answers.delete(message.id);
		return;
	}
	const client = await starting;
	backend ??= new Backend(client, ask);
	if (message.type === "drive") await backend.drive(message.sessionId, message.force);
	else if (message.type === "resume") await backend.resume(message.sessionIds);
	else {
		await client.dispose();
		await store.close();
		process.exit(0);
	}
});

let backend: Backend | undefined;
await starting;
send({ type: "ready" });
