import { type ProcessLogEntry, type ProcessRunBody, type ProcessRunResponse, ROUTES } from "@sandbox-agent/core/api";
import { SandboxAgentError } from "@sandbox-agent/core/errors";
import { readEventStream } from "../acp/event-stream.ts";
import { decodeError } from "../http/decode-error.ts";
import type { ServerLink } from "../http/server-link.ts";
import { fromBase64 } from "../sessions/base64.ts";

/** Who is told about output as it comes. Nothing of it may throw. */
export interface RunOutput {
	readonly stdout: ((text: string) => void) | undefined;
	readonly stderr: ((text: string) => void) | undefined;
}

/**
 * Runs a command and reads its output while it runs. The answer begins at once and has signs of life: no idle limit of
 * fetch or of a proxy ends a command that is silent for long. Servers of the first generation tell everything at the end.
 *
 * @throws connection_lost when the stream breaks: the command is ended then
 */
export async function runLive(
	link: ServerLink,
	body: ProcessRunBody,
	output: RunOutput,
	signal: AbortSignal | undefined,
): Promise<ProcessRunResponse> {
	const response = await link.send(ROUTES.runProcess.path, {
		method: "POST",
		headers: { accept: "text/event-stream, application/json", "content-type": "application/json" },
		body: JSON.stringify({ ...body, live: Boolean(output.stdout ?? output.stderr) }),
		signal,
	});
	if (!response.ok) throw (await decodeError(response, link.isKeyed)).error;
	if (!response.headers.get("content-type")?.startsWith("text/event-stream") || !response.body) {
		const result = (await response.json()) as ProcessRunResponse;
		if (result.stdout !== "") output.stdout?.(result.stdout);
		if (result.stderr !== "") output.stderr?.(result.stderr);
		return result;
	}
	const text = { stdout: new StreamedText(output.stdout), stderr: new StreamedText(output.stderr) };
	let result: ProcessRunResponse | undefined;
	await readEventStream(
		response.body,
		async (events) => {
			for (const { event, data } of events) {
				if (event === "result") result = JSON.parse(data) as ProcessRunResponse;
				if (event !== "log") continue;
				const entry = JSON.parse(data) as ProcessLogEntry;
				if (entry.stream === "stdout" || entry.stream === "stderr") text[entry.stream].push(entry.data);
			}
			return result !== undefined;
		},
		{ idleMs: link.recovery.idleMs },
	);
	signal?.throwIfAborted();
	if (!result) throw new SandboxAgentError("connection_lost", "the command's stream ended without its result");
	text.stdout.end();
	text.stderr.end();
	return result;
}

/** Decodes pieces of output that may end in the middle of a character. */
class StreamedText {
	readonly #decoder = new TextDecoder();
	readonly #tell: ((text: string) => void) | undefined;

	constructor(tell: ((text: string) => void) | undefined) {
		this.#tell = tell;
	}

	push(base64: string): void {
		if (this.#tell) this.#say(this.#decoder.decode(fromBase64(base64), { stream: true }));
	}

	end(): void {
		if (this.#tell) this.#say(this.#decoder.decode());
	}

	#say(text: string): void {
		if (text !== "") this.#tell?.(text);
	}
}
