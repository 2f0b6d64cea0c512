import type { InstallProgress } from "../agents/install/progress.ts";
import type { CliContext } from "./cli-context.ts";

const MEGABYTE = 1024 * 1024;

/** Shows how far an installation is: one line that changes at a terminal, one line per phase elsewhere. */
export class InstallProgressLine {
	readonly #context: Pick<CliContext, "tell" | "rewrite" | "terminal">;
	#phase = "";

	constructor(context: Pick<CliContext, "tell" | "rewrite" | "terminal">) {
		this.#context = context;
	}

	show(progress: InstallProgress): void {
		const text = describe(progress);
		if (this.#context.terminal) this.#context.rewrite(text);
		else if (progress.phase !== this.#phase) this.#context.tell(text);
		this.#phase = progress.phase;
	}

	/** Leaves the last line standing. */
	end(): void {
		if (this.#context.terminal && this.#phase !== "") this.#context.tell("");
	}
}

function describe({ agent, phase, bytes, totalBytes, message }: InstallProgress): string {
	const done = bytes === undefined ? "" : ` ${Math.round(bytes / MEGABYTE)} MB`;
	const total = totalBytes === undefined || bytes === undefined ? "" : ` of ${Math.round(totalBytes / MEGABYTE)} MB`;
	return `${agent}: ${message ?? phase}${done}${total}`;
}
