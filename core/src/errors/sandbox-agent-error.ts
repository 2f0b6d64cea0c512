import { ERROR_CODES, type SandboxAgentErrorCode } from "./codes.ts";
import type { ErrorDetails } from "./details.ts";
import type { ProblemDetails } from "./problem.ts";

/** Two copies of this package in one program recognise each other's errors by this symbol, not by prototype. */
const BRAND = Symbol.for("sandbox-agent.error");

/** What an error is made of beside its code and detail text. */
export interface SandboxAgentErrorOptions<Code extends SandboxAgentErrorCode = SandboxAgentErrorCode> {
	/** Typed extension members, as they stand in the problem document. */
	details?: ErrorDetails<Code> | undefined;
	/** What led to it. */
	cause?: unknown;
	/** Overrides the status of the code table, for the few codes that occur with several (404 and 413 of `invalid_request`). */
	status?: number | undefined;
	/** Overrides the title of the code table; goes with `status`. */
	title?: string | undefined;
	/** Overrides whether a retry can help. */
	retryable?: boolean | undefined;
	/** Overrides the hint of the code table. */
	hint?: string | undefined;
	/** The problem document this error was read from. */
	problem?: ProblemDetails | undefined;
	/** The HTTP response this error was read from. */
	response?: Response | undefined;
	/** The whole message, for subclasses whose documented text is not `<title>: <detail>`. */
	message?: string | undefined;
}

/**
 * The one error class of this project. Branch on `code`, not on the message.
 *
 * `message` is `<title>: <detail>`, and ends with the hint where there is one.
 *
 * @example
 * if (SandboxAgentError.isInstance(error, "agent_process_exited")) console.log(error.details);
 */
export class SandboxAgentError<Code extends SandboxAgentErrorCode = SandboxAgentErrorCode> extends Error {
	readonly code: Code;
	/** HTTP status, also for failures that never crossed the wire. */
	readonly status: number;
	/** Constant per code. */
	readonly title: string;
	/** What happened this time, with the values involved. */
	readonly detail: string;
	readonly details: ErrorDetails<Code>;
	readonly retryable: boolean;
	readonly hint: string | undefined;
	/** The problem document as received; `undefined` for errors raised on this side. */
	readonly problem: ProblemDetails | undefined;
	/** The response as received; its body has been read. `undefined` for errors raised on this side. */
	readonly response: Response | undefined;

	constructor(code: Code, detail: string, options: SandboxAgentErrorOptions<Code> = {}) {
		const entry: { status: number; title: string; retryable: boolean; hint?: string } = ERROR_CODES[code];
		const title = options.title ?? entry.title;
		const hint = options.hint ?? entry.hint;
		const message = options.message ?? `${title}: ${detail}${hint ? ` (${hint})` : ""}`;
		super(message, options.cause === undefined ? undefined : { cause: options.cause });
		this.name = "SandboxAgentError";
		this.code = code;
		this.status = options.status ?? entry.status;
		this.title = title;
		this.detail = detail;
		// Codes without required members get an empty object; the others are required by the call sites' types.
		this.details = options.details ?? ({} as ErrorDetails<Code>);
		this.retryable = options.retryable ?? entry.retryable;
		this.hint = hint;
		this.problem = options.problem;
		this.response = options.response;
		Object.defineProperty(this, BRAND, { value: true });
	}

	/** Whether a value is an error of this family, of any copy of this package, optionally of one code. */
	static isInstance<Code extends SandboxAgentErrorCode>(value: unknown, code?: Code): value is SandboxAgentError<Code> {
		if (!(value instanceof Error) || !(BRAND in value)) return false;
		return code === undefined || ("code" in value && value.code === code);
	}

	toJSON(): Record<string, unknown> {
		return {
			name: this.name,
			code: this.code,
			status: this.status,
			message: this.message,
			details: this.details,
			retryable: this.retryable,
		};
	}
}
