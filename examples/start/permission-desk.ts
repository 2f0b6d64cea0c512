import { createInterface } from "node:readline/promises";
import type { Readable, Writable } from "node:stream";
import type pico from "picocolors";
import type { Session, SessionPermissionRequest } from "sandbox-agent";
import type { PermissionPolicy, StartArguments } from "./arguments.ts";
import type { Paper } from "./paper.ts";
import type { TurnRenderer } from "./renderer.ts";

/** What the desk works with. */
export interface PermissionDeskOptions {
	readonly paper: Paper;
	readonly renderer: TurnRenderer;
	readonly colours: ReturnType<typeof pico.createColors>;
	readonly policy: PermissionPolicy;
	/** Why the policy is what it is, for the person who reads along. */
	readonly why: string;
	readonly input: Readable;
	readonly output: Writable;
	readonly signal: AbortSignal;
}

type Reply = SessionPermissionRequest["availableReplies"][number];

/**
 * Without a terminal nobody can be asked. What stays in a container, or is only played, may then happen; on the machine
 * itself silence is no consent.
 */
export function policyFor({ permissions, agent, provider }: StartArguments, isTerminal: boolean): PermissionPolicy {
	if (permissions !== undefined) return permissions;
	if (isTerminal) return "ask";
	return agent === "mock" || provider !== "local" ? "allow" : "reject";
}

/** Answers the agent's questions, one after the other, and shows question and answer. */
export class PermissionDesk {
	readonly #options: PermissionDeskOptions;
	/** The question being dealt with; updates wait for it so that nothing is written into the question. */
	#current: Promise<void> = Promise.resolve();

	constructor(options: PermissionDeskOptions) {
		this.#options = options;
	}

	/** Resolves when no question is open. */
	idle(): Promise<void> {
		return this.#current;
	}

	/** Takes a question over; failures are handed to `onError`. */
	take(session: Session, request: SessionPermissionRequest, onError: (error: unknown) => void): void {
		// Updates before the question have arrived, but are taken one by one: they are shown first.
		setImmediate(() => {
			this.#current = this.#current.then(() => this.#deal(session, request)).catch(onError);
		});
	}

	async #deal(session: Session, request: SessionPermissionRequest): Promise<void> {
		const { paper, renderer, colours, policy, why } = this.#options;
		renderer.finish();
		paper.gap();
		paper.line(`${colours.yellow("?")} Allow: ${colours.bold(request.toolCall.title ?? "what the agent wants to do")}`);
		const reply = policy === "ask" ? await this.#ask(request) : this.#decide(request, policy);
		const option = request.options.find(({ kind }) => kind.startsWith(reply === "reject" ? "reject" : "allow"));
		if (policy !== "ask") paper.line(`  ${option?.name ?? reply} (${why})`, colours.dim);
		await session.respondPermission(request.id, reply);
	}

	#decide({ availableReplies }: SessionPermissionRequest, policy: PermissionPolicy): Reply {
		const wanted: Reply = policy === "allow" ? "once" : "reject";
		if (availableReplies.includes(wanted)) return wanted;
		return policy === "allow" && availableReplies.includes("always") ? "always" : "reject";
	}

	/** Asks until the answer is one of those on offer. */
	async #ask(request: SessionPermissionRequest): Promise<Reply> {
		const { paper, input, output, signal, colours } = this.#options;
		const choices = request.availableReplies.map((reply) => ({ reply, name: nameOf(request, reply) }));
		choices.forEach(({ name }, index) => {
			paper.line(`  ${index + 1}  ${name}`);
		});
		const lines = createInterface({ input, output });
		// Ctrl-C reaches the terminal reader while it asks; it means the same as always.
		lines.on("SIGINT", () => process.kill(process.pid, "SIGINT"));
		try {
			while (true) {
				const answer = await lines.question(`    ${colours.bold(`1-${choices.length}`)} and Enter: `, { signal });
				const choice = choices[Number(answer.trim()) - 1];
				if (choice) return choice.reply;
			}
		} finally {
			lines.close();
		}
	}
}

function nameOf(request: SessionPermissionRequest, reply: Reply): string {
	const kinds = { once: ["allow_once"], always: ["allow_always"], reject: ["reject_once", "reject_always"] }[reply];
	return request.options.find(({ kind }) => kinds.includes(kind))?.name ?? reply;
}
