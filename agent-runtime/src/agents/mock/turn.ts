import type {
	AgentContext,
	ContentBlock,
	PermissionOption,
	PermissionOptionKind,
	PlanEntry,
	SessionUpdate,
	ToolCall,
	ToolCallUpdate,
} from "@agentclientprotocol/sdk";
import type { Clock } from "@sandbox-agent/core/util";
import type { MockSession } from "./session.ts";

/** What a turn needs from the agent it runs in. */
export interface MockTurnOptions {
	readonly session: MockSession;
	readonly client: AgentContext;
	/** Aborted when the client cancels the turn. */
	readonly signal: AbortSignal;
	readonly clock: Clock;
	/** Adds to what the session replays later. */
	readonly remember: (update: SessionUpdate) => void;
	/** Keeps changed settings and the title of the session. */
	readonly save: () => void;
	/** Whether the client can be asked questions by form. */
	readonly canAskByForm: boolean;
	/** Ends the whole agent, as a crash does. */
	readonly crash: (code: number, stderr: string) => void;
}

/** The answers that every permission request of the mock agent offers. */
export const PERMISSION_OPTIONS: readonly PermissionOption[] = [
	{ optionId: "allow-once", name: "Allow once", kind: "allow_once" },
	{ optionId: "allow-always", name: "Always allow in this session", kind: "allow_always" },
	{ optionId: "reject-once", name: "Reject", kind: "reject_once" },
];

/** Pause between two chunks that a person is meant to watch, in ms. The model `mock-fast` makes none. */
const READING_PAUSE_MS = 30;

/** Everything a word can do in a turn: the vocabulary of ACP, one method each. */
export class MockTurn {
	readonly session: MockSession;
	readonly signal: AbortSignal;
	readonly crash: (code: number, stderr: string) => void;
	readonly #options: MockTurnOptions;
	#toolCalls = 0;

	constructor(options: MockTurnOptions) {
		this.#options = options;
		this.session = options.session;
		this.signal = options.signal;
		this.crash = options.crash;
	}

	/** Sends an update and keeps it for a later replay. */
	async update(update: SessionUpdate): Promise<void> {
		this.signal.throwIfAborted();
		this.#options.remember(update);
		await this.sendOnly(update);
	}

	/** Sends an update that is not replayed later. */
	async sendOnly(update: SessionUpdate): Promise<void> {
		this.signal.throwIfAborted();
		await this.#options.client.notify("session/update", { sessionId: this.session.id, update });
	}

	/** One chunk of the answer. */
	say(text: string): Promise<void> {
		return this.show({ type: "text", text });
	}

	/** One piece of content as a chunk of the answer. */
	show(content: ContentBlock): Promise<void> {
		return this.update({ sessionUpdate: "agent_message_chunk", content });
	}

	/** A text in several chunks; at reading speed where a person is meant to watch. */
	async tell(text: string, options: { atReadingSpeed?: boolean } = {}): Promise<void> {
		for (const chunk of inChunks(text)) {
			await this.say(chunk);
			if (options.atReadingSpeed) await this.readingPause();
		}
	}

	think(text: string): Promise<void> {
		return this.update({ sessionUpdate: "agent_thought_chunk", content: { type: "text", text } });
	}

	plan(entries: PlanEntry[]): Promise<void> {
		return this.update({ sessionUpdate: "plan", entries });
	}

	usage(used: number): Promise<void> {
		return this.update({ sessionUpdate: "usage_update", used, size: 200_000, cost: { amount: 0, currency: "USD" } });
	}

	/** Announces a tool call, pending; returns its id. */
	async startTool(call: Omit<ToolCall, "toolCallId" | "status">): Promise<string> {
		this.#toolCalls += 1;
		const toolCallId = `call-${this.session.history.length}-${this.#toolCalls}`;
		await this.update({ sessionUpdate: "tool_call", status: "pending", ...call, toolCallId });
		return toolCallId;
	}

	async updateTool(update: ToolCallUpdate): Promise<void> {
		await this.update({ sessionUpdate: "tool_call_update", ...update });
	}

	/** Ends a tool call with the text it produced. */
	finishTool(toolCallId: string, status: "completed" | "failed", text: string): Promise<void> {
		return this.updateTool({
			toolCallId,
			status,
			content: [{ type: "content", content: { type: "text", text } }],
			rawOutput: { text },
		});
	}

	/**
	 * Asks whether a tool may run. "Always" is remembered for the session. Silence is no answer: it waits until the client
	 * answers or cancels.
	 */
	async mayUse(tool: string, toolCall: ToolCallUpdate): Promise<boolean> {
		if (this.session.allowedTools.has(tool)) return true;
		const kind = await this.choose(toolCall, PERMISSION_OPTIONS);
		if (kind === "allow_always") {
			this.session.allowedTools.add(tool);
			this.#options.save();
		}
		return kind === "allow_once" || kind === "allow_always";
	}

	/** Puts options before the user; the kind of the chosen one, `undefined` when the question was dismissed. */
	async choose(
		toolCall: ToolCallUpdate,
		options: readonly PermissionOption[],
	): Promise<PermissionOptionKind | undefined> {
		const optionId = await this.chooseOption(toolCall, options);
		return options.find((option) => option.optionId === optionId)?.kind;
	}

	async chooseOption(toolCall: ToolCallUpdate, options: readonly PermissionOption[]): Promise<string | undefined> {
		this.signal.throwIfAborted();
		const request = this.#options.client.request("session/request_permission", {
			sessionId: this.session.id,
			toolCall,
			options: [...options],
		});
		const { outcome } = await this.#untilCancelled(request);
		return outcome.outcome === "selected" ? outcome.optionId : undefined;
	}

	/** Asks for one of several values, by form where the client can show one, else as a permission request. */
	async ask(question: string, answers: readonly string[]): Promise<string | undefined> {
		if (this.#options.canAskByForm) return this.#askByForm(question, answers);
		const toolCallId = await this.startTool({ title: question, kind: "other" });
		const options = answers.map(
			(name): PermissionOption => ({
				optionId: name.toLowerCase(),
				name,
				kind: name === answers.at(-1) ? "reject_once" : "allow_once",
			}),
		);
		const optionId = await this.chooseOption({ toolCallId, title: question }, options);
		const answer = options.find((option) => option.optionId === optionId)?.name;
		await this.finishTool(toolCallId, answer === undefined ? "failed" : "completed", answer ?? "no answer");
		return answer;
	}

	/** Waits; ends early, by an error, when the turn is cancelled. */
	pause(milliseconds: number): Promise<void> {
		return this.#options.clock.sleep(milliseconds, { signal: this.signal });
	}

	async readingPause(): Promise<void> {
		if (this.session.settings.model !== "mock-fast") await this.pause(READING_PAUSE_MS);
	}

	/** Changes the title of the session and tells the client. */
	async rename(title: string): Promise<void> {
		this.session.title = title;
		this.#options.save();
		await this.update({ sessionUpdate: "session_info_update", title, updatedAt: this.session.updatedAt });
	}

	async #askByForm(question: string, answers: readonly string[]): Promise<string | undefined> {
		const request = this.#options.client.request("elicitation/create", {
			mode: "form",
			sessionId: this.session.id,
			message: question,
			requestedSchema: {
				type: "object",
				properties: { answer: { type: "string", title: question, enum: [...answers] } },
				required: ["answer"],
			},
		});
		const reply = await this.#untilCancelled(request);
		const content: unknown = "content" in reply ? reply.content : undefined;
		if (reply.action !== "accept" || typeof content !== "object" || content === null) return undefined;
		return "answer" in content && typeof content.answer === "string" ? content.answer : undefined;
	}

	/** The client may never answer a question of a turn that it has cancelled. */
	async #untilCancelled<T>(request: Promise<T>): Promise<T> {
		const { signal } = this;
		let stop: () => void = () => undefined;
		const cancelled = new Promise<never>((_, reject) => {
			stop = () => reject(signal.reason);
			signal.addEventListener("abort", stop, { once: true });
		});
		try {
			return await Promise.race([request, cancelled]);
		} finally {
			signal.removeEventListener("abort", stop);
			// After a cancel nobody waits for the answer; its failure is no news.
			request.catch(() => undefined);
		}
	}
}

/** Cuts a text after its words, into ten chunks at most. */
export function inChunks(text: string): string[] {
	if (text === "") return [];
	const words = text.split(/(?<=\s)(?=\S)/);
	const perChunk = Math.ceil(words.length / 10);
	const chunks: string[] = [];
	for (let start = 0; start < words.length; start += perChunk) {
		chunks.push(words.slice(start, start + perChunk).join(""));
	}
	return chunks;
}
