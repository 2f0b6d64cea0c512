import { readFileSync } from "node:fs";
import { SandboxAgentError } from "@sandbox-agent/core/errors";
import { UsageError } from "./cli-context.ts";

/** The message of `api acp post`, from its text or its file. It is sent as it is: the server judges it. */
export function readMessage(text: string | undefined, file: string | undefined): string {
	if (text !== undefined && file === undefined) return text;
	if (text !== undefined || file === undefined)
		throw new UsageError("give the message with either --json or --json-file");
	try {
		return readFileSync(file, "utf8");
	} catch (cause) {
		const reason = cause instanceof Error ? cause.message : String(cause);
		throw new SandboxAgentError("invalid_request", `the file of --json-file cannot be read: ${reason}`, { cause });
	}
}
