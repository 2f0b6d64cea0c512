import type pico from "picocolors";
import type { Paper, Style } from "./paper.ts";
import { toolText } from "./tool-text.ts";
import type { ContentBlock, PlanEntry, ToolCallUpdate, Update } from "./update.ts";

const PLAN_MARKS = { pending: "·", in_progress: "▸", completed: "✓" } as const;

type Colors = ReturnType<typeof pico.createColors>;

type Section = "none" | "message" | "thought" | "tool" | "plan" | "note";

/** Shows the updates of a turn as a person wants to read them: in order, as they come, and nothing twice. */
export class TurnRenderer {
	readonly #paper: Paper;
	readonly #colours: Colors;
	readonly #calls = new Map<string, { title: string }>();
	readonly #plan = new Map<string, string>();
	#section: Section = "none";
	/** The call whose line has been begun and waits for its result. */
	#openCall: string | undefined;
	/** What the agent last said about its use of the context. */
	usage: { used: number; size: number; cost: string | undefined } | undefined;
	count = 0;

	constructor(paper: Paper, colours: Colors) {
		this.#paper = paper;
		this.#colours = colours;
	}

	show(update: Update): void {
		this.count += 1;
		switch (update.sessionUpdate) {
			case "agent_message_chunk":
				this.#chunk("message", update.content, (text) => text);
				break;
			case "agent_thought_chunk":
				this.#chunk("thought", update.content, this.#colours.dim);
				break;
			case "tool_call":
			case "tool_call_update":
				this.#toolCall(update);
				break;
			case "plan":
				this.#showPlan(update.entries);
				break;
			case "usage_update": {
				const cost = update.cost ? `${update.cost.amount.toFixed(4)} ${update.cost.currency}` : undefined;
				this.usage = { used: update.used, size: update.size, cost };
				break;
			}
			case "current_mode_update":
				this.note(`mode: ${update.currentModeId}`);
				break;
			case "session_info_update":
				if (update.title) this.note(`title: ${update.title}`);
				break;
			default:
				// Echoes of the prompt, lists of options and commands, and whatever is yet to come: nothing to read here.
				break;
		}
	}

	/** A remark of the program itself, between the agent's words. */
	note(text: string): void {
		this.#enter("note");
		this.#paper.line(text, this.#colours.dim);
	}

	/** Ends what has been begun, before something else is written. */
	finish(): void {
		this.#closeCall();
		this.#paper.endLine();
		this.#section = "none";
	}

	#enter(section: Section): void {
		this.#closeCall();
		if (section === this.#section) return;
		this.#paper.gap();
		this.#section = section;
	}

	#chunk(section: Section, content: ContentBlock, style: Style): void {
		this.#enter(section);
		this.#paper.text(contentText(content), style);
	}

	#toolCall(call: ToolCallUpdate & { title?: string | null | undefined }): void {
		const known = this.#calls.get(call.toolCallId);
		const title = oneLine(call.title ?? known?.title ?? call.kind ?? "tool");
		this.#calls.set(call.toolCallId, { title });
		const { status } = call;
		if (status !== "completed" && status !== "failed") {
			if (known === undefined) this.#openLine(call.toolCallId, title);
			return;
		}
		if (this.#openCall === call.toolCallId) {
			this.#paper.text(` ${this.#mark(status)}`);
			this.#openCall = undefined;
			this.#paper.endLine();
		} else {
			this.#enter("tool");
			this.#paper.line(`${this.#mark(status)} ${title}`);
		}
		for (const line of toolText(call)) this.#paper.line(`  ${line}`, this.#colours.dim);
	}

	#openLine(toolCallId: string, title: string): void {
		this.#enter("tool");
		this.#paper.text(`${this.#colours.cyan("●")} ${title}`);
		this.#paper.flush();
		this.#openCall = toolCallId;
	}

	#closeCall(): void {
		if (this.#openCall === undefined) return;
		this.#openCall = undefined;
		this.#paper.endLine();
	}

	#mark(status: "completed" | "failed"): string {
		return status === "completed" ? this.#colours.green("✓") : this.#colours.red("✗ failed");
	}

	/** The whole plan the first time and when its steps change, afterwards only the steps that moved on. */
	#showPlan(entries: readonly PlanEntry[]): void {
		const steps = entries.map((entry) => oneLine(entry.content));
		const sameSteps = steps.length === this.#plan.size && steps.every((step) => this.#plan.has(step));
		const news = entries.filter((entry) => !sameSteps || this.#plan.get(oneLine(entry.content)) !== entry.status);
		this.#plan.clear();
		for (const entry of entries) this.#plan.set(oneLine(entry.content), entry.status);
		if (news.length === 0) return;
		this.#enter("plan");
		if (!sameSteps) this.#paper.line("Plan", this.#colours.bold);
		for (const entry of news) {
			const style = entry.status === "completed" ? this.#colours.dim : (text: string) => text;
			const where = sameSteps ? this.#colours.dim("plan ") : "";
			this.#paper.line(`${where}${PLAN_MARKS[entry.status]} ${oneLine(entry.content)}`, style);
		}
	}
}

function oneLine(text: string): string {
	return text.replaceAll(/\s+/g, " ").trim();
}

function contentText(content: ContentBlock): string {
	switch (content.type) {
		case "text":
			return content.text;
		case "image":
		case "audio":
			return `[${content.type} ${content.mimeType}, ${Math.ceil((content.data.length * 3) / 4)} bytes]\n`;
		case "resource_link":
			return `[${content.name} ${content.uri}]\n`;
		case "resource":
			return `[${content.resource.uri}]\n`;
	}
}
