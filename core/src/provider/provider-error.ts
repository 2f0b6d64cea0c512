import { SandboxAgentError, type SandboxAgentErrorCode } from "../errors/index.ts";

/** Why a vendor refused or failed. */
export type ProviderErrorKind =
	| "auth"
	| "not-found"
	| "rate-limit"
	| "quota"
	| "conflict"
	| "timeout"
	| "unavailable"
	| "invalid"
	| "unknown";

/** What is known about a vendor's failure beside its kind. */
export interface ProviderErrorOptions {
	readonly cause?: unknown;
	/** What to do about it, in one sentence. */
	readonly hint?: string | undefined;
	/** How long the vendor asks to wait, in milliseconds. */
	readonly retryAfterMs?: number | undefined;
	/** The operation may have happened although it was answered with a failure. @default false */
	readonly ambiguous?: boolean | undefined;
}

const CODES: Record<ProviderErrorKind, { code: SandboxAgentErrorCode; retryable: boolean }> = {
	auth: { code: "provider_failed", retryable: false },
	"not-found": { code: "provider_failed", retryable: false },
	"rate-limit": { code: "provider_unavailable", retryable: true },
	quota: { code: "provider_failed", retryable: false },
	conflict: { code: "provider_failed", retryable: true },
	timeout: { code: "provider_unavailable", retryable: true },
	unavailable: { code: "provider_unavailable", retryable: true },
	invalid: { code: "provider_invalid", retryable: false },
	unknown: { code: "provider_failed", retryable: false },
};

/**
 * A failure of a vendor: it says nothing definite about the sandbox, unlike `sandbox_destroyed`.
 * The message begins with `[<provider>]`.
 */
export class ProviderError extends SandboxAgentError {
	readonly provider: string;
	readonly kind: ProviderErrorKind;
	readonly retryAfterMs: number | undefined;
	readonly ambiguous: boolean;

	constructor(provider: string, kind: ProviderErrorKind, detail: string, options: ProviderErrorOptions = {}) {
		const { code, retryable } = CODES[kind];
		super(code, `[${provider}] ${detail}`, { cause: options.cause, hint: options.hint, retryable });
		this.name = "ProviderError";
		this.provider = provider;
		this.kind = kind;
		this.retryAfterMs = options.retryAfterMs;
		this.ambiguous = options.ambiguous ?? false;
	}
}

/**
 * The kind of failure that an HTTP status of a vendor's API means, before anything vendor-specific is known.
 * 404 and 410 are `not-found`: only the plugin knows whether that is the sandbox itself.
 */
export function kindOfStatus(status: number): ProviderErrorKind {
	if (status === 401 || status === 403) return "auth";
	if (status === 404 || status === 410) return "not-found";
	if (status === 402) return "quota";
	if (status === 408 || status === 504) return "timeout";
	if (status === 409) return "conflict";
	if (status === 429) return "rate-limit";
	if (status >= 500) return "unavailable";
	if (status >= 400) return "invalid";
	return "unknown";
}

/** Milliseconds of a `Retry-After` value (seconds or a date), `undefined` when it has neither. */
export function parseRetryAfter(value: string | null | undefined, now: number = Date.now()): number | undefined {
	if (!value) return undefined;
	const seconds = Number(value);
	if (Number.isFinite(seconds)) return Math.max(0, seconds * 1000);
	const date = Date.parse(value);
	return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

/** The error of a sandbox that definitely does not exist any more. */
export function sandboxDestroyed(provider: string, id: string, options: { cause?: unknown } = {}): SandboxAgentError {
	return new SandboxAgentError("sandbox_destroyed", `[${provider}] sandbox ${id} does not exist any more`, {
		cause: options.cause,
		hint: "start a new one without sandboxId",
		details: { sandboxId: `${provider}/${id}` },
	});
}
