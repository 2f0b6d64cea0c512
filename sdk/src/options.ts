import { SandboxAgentError } from "@sandbox-agent/core/errors";
import type { ProgressListener, RuntimeSource, SandboxProvider } from "@sandbox-agent/core/provider";
import type { SessionPersistDriver } from "@sandbox-agent/core/session";
import type { RecoveryOptions } from "./http/server-link.ts";
import type { ErrorReporter } from "./listeners.ts";
import type { CapsuleOptions } from "./sessions/capsules.ts";
import { compilePolicy } from "./sessions/permission-policy.ts";
import type { PermissionPolicyOptions } from "./sessions/policy/policy-types.ts";
import { type ResumeOptions, type ResumeReceipt, RUNGS } from "./sessions/resume/receipt.ts";
import type { Session } from "./sessions/session.ts";
import type { LeaseOptions } from "./sessions/session-leases.ts";
import { OVERLAPS, type PromptOverlap } from "./sessions/turn-gate.ts";
import type { StatusListener } from "./status.ts";

/** How long the first answer of a server is waited for. */
export interface SandboxAgentHealthWaitOptions {
	/** In milliseconds. @default 60_000 */
	timeoutMs?: number | undefined;
}

/** What both ways to make a client accept. */
export interface SandboxAgentCommonOptions {
	/** Sent with every request; headers of a call win. */
	headers?: HeadersInit | undefined;
	/** Where sessions are kept. @default `new InMemorySessionPersistDriver()` */
	persist?: SessionPersistDriver | undefined;
	/** Events told to an agent that does not know a session's history. @default 50 */
	replayMaxEvents?: number | undefined;
	/** Length of that text in UTF-16 units. @default 12_000 */
	replayMaxChars?: number | undefined;
	/** Aborts the start, or the wait for the server's first answer. */
	signal?: AbortSignal | undefined;
	/** Do not wait for the server's first answer. @default false */
	skipHealthCheck?: boolean | undefined;
	/** Token of the server, sent as `Authorization: Bearer <token>`. */
	token?: string | undefined;
	/** Limits of the recovery from a lost connection. */
	recovery?: RecoveryOptions | undefined;
	/** Ways in which sessions may be restored. */
	resume?: ResumeOptions | undefined;
	/** Told how a session was restored, and what could not be kept. */
	onReceipt?: ((receipt: ResumeReceipt, session: Session) => void) | undefined;
	/**
	 * How sessions are shared with other clients of the store, where the store can. `false`: they are not, and two clients
	 * may drive the same session.
	 */
	lease?: LeaseOptions | false | undefined;
	/**
	 * How long a session store that fails is tried again, while agents are not read on, in milliseconds. After that events
	 * are told without being stored, which `onError` hears, and prompts are refused.
	 * @default 10_000
	 */
	storePatienceMs?: number | undefined;
	/**
	 * Keep the agents' own memory of sessions in the store, so that a session can go on in another sandbox. `true`: as it
	 * is. With a `key` it is encrypted.
	 * @default false
	 */
	capsule?: boolean | CapsuleOptions | undefined;
	/** Answers the questions of agents by rules. @default people are asked */
	permissions?: PermissionPolicyOptions | undefined;
	/** What a prompt does while another one of its session runs. @default "queue" */
	overlap?: PromptOverlap | undefined;
	/** Told about each change of the client's status. */
	onStatus?: StatusListener | undefined;
	/** Told about failures that no call can report, such as those of listeners. @default `console.error` */
	onError?: ErrorReporter | undefined;
}

/** Options of `SandboxAgent.connect()`. */
export interface SandboxAgentConnectOptions extends SandboxAgentCommonOptions {
	/** Address of the server. @default `http://sandbox-agent`, when there is a `fetch` that knows the way */
	baseUrl?: string | undefined;
	/** Used for every request. @default the global one */
	fetch?: typeof globalThis.fetch | undefined;
	/** @deprecated use `skipHealthCheck` and `timeoutMs`. `false`: no wait. */
	waitForHealth?: boolean | SandboxAgentHealthWaitOptions | undefined;
	/** Limit of the wait for the server's first answer, in milliseconds. @default 60_000 */
	timeoutMs?: number | undefined;
}

/** Where the output of a local server goes. */
export type SandboxAgentSpawnLogMode = "inherit" | "pipe" | "silent";

/** Options of a local server, as older documentation names them. */
export interface SandboxAgentSpawnOptions {
	/** `false` is an error unless there is a `sandbox`. @default true */
	enabled?: boolean | undefined;
	host?: string | undefined;
	port?: number | undefined;
	token?: string | undefined;
	binaryPath?: string | undefined;
	timeoutMs?: number | undefined;
	log?: SandboxAgentSpawnLogMode | undefined;
	env?: Record<string, string> | undefined;
}

/** Options of `SandboxAgent.start()`. */
export interface SandboxAgentStartOptions extends SandboxAgentCommonOptions {
	/** Where the sandbox comes from. @default `local()` where this program runs on Node */
	sandbox?: SandboxProvider | undefined;
	/** `<provider>/<id>` of an existing sandbox. @default a new one is made */
	sandboxId?: string | undefined;
	/** Used for every request, in place of the provider's own way. */
	fetch?: typeof globalThis.fetch | undefined;
	/** The same as `sandbox: local({ ... })`. */
	spawn?: SandboxAgentSpawnOptions | boolean | undefined;
	/** The server to put into the sandbox. @default the one this package brings along */
	runtime?: RuntimeSource | undefined;
	/** Variables of the server and its agents, beside those of the provider's options. */
	env?: Readonly<Record<string, string>> | undefined;
	/** Marks to put on a new sandbox. */
	labels?: Readonly<Record<string, string>> | undefined;
	/** Time until the server answers, in milliseconds; image pulls and the vendor's own creation are not counted. @default 60_000 */
	timeoutMs?: number | undefined;
	/** Told what the start is doing. */
	onProgress?: ProgressListener | undefined;
}

const DEFAULT_HEALTH_TIMEOUT_MS = 60_000;
const DEFAULT_REPLAY = { maxEvents: 50, maxChars: 12_000 };

/** Address of servers that only a `fetch` reaches. */
const FETCH_ONLY_URL = "http://sandbox-agent";

/**
 * Refuses options about sessions that mean nothing, before anything has begun.
 * @throws invalid_request that names the option, its value and what to write
 */
export function assertSessionOptions(options: SandboxAgentCommonOptions): void {
	const { resume, lease, overlap, storePatienceMs, capsule, permissions } = options;
	if (permissions) compilePolicy(permissions);
	for (const rung of resume?.allow ?? []) oneOf("resume.allow", rung, RUNGS);
	if (overlap !== undefined) oneOf("overlap", overlap, OVERLAPS);
	if (lease) atLeast("lease.ttlMs", lease.ttlMs, 1);
	if (lease && lease.owner?.trim() === "") invalid("lease.owner", lease.owner, "a name that no other client has");
	atLeast("resume.timeoutMs", resume?.timeoutMs, 1);
	atLeast("storePatienceMs", storePatienceMs, 0);
	if (capsule && options.persist && !("capsules" in options.persist && options.persist.capsules)) {
		throw new SandboxAgentError("capability_unsupported", "option 'capsule': the session store takes no capsules", {
			hint: "use one that does, such as sandbox-agent/persist/postgres, or leave the option out",
		});
	}
	if (typeof capsule !== "object") return;
	atLeast("capsule.maxBytes", capsule.maxBytes, 1);
	// Checked here, so that nothing has begun when it is wrong.
	if (capsule.key && capsule.key.byteLength !== 32) invalid("capsule.key", "…", "32 bytes");
}

/** The limits of a replay; values that are no positive numbers are ignored. */
export function replayLimits(options: Pick<SandboxAgentCommonOptions, "replayMaxEvents" | "replayMaxChars">) {
	return {
		maxEvents: positive(options.replayMaxEvents) ?? DEFAULT_REPLAY.maxEvents,
		maxChars: positive(options.replayMaxChars) ?? DEFAULT_REPLAY.maxChars,
	};
}

/** How long to wait for the first answer, `undefined` for no wait. */
export function healthTimeout(options: SandboxAgentConnectOptions): number | undefined {
	const { waitForHealth } = options;
	if (options.skipHealthCheck || waitForHealth === false) return undefined;
	const older = typeof waitForHealth === "object" ? waitForHealth.timeoutMs : undefined;
	return positive(options.timeoutMs) ?? positive(older) ?? DEFAULT_HEALTH_TIMEOUT_MS;
}

/** The address to use, without a trailing slash. */
export function resolveBaseUrl(options: Pick<SandboxAgentConnectOptions, "baseUrl" | "fetch">): string {
	const baseUrl = options.baseUrl?.trim();
	if (baseUrl) return baseUrl.replace(/\/$/, "");
	if (options.fetch) return FETCH_ONLY_URL;
	const message = "baseUrl is required unless fetch is provided.";
	throw new SandboxAgentError("invalid_request", message, { message });
}

/** Splits `<provider>/<id>`. */
export function parseSandboxId(sandboxId: string, provider: SandboxProvider): string {
	const slash = sandboxId.indexOf("/");
	const [name, id] = [sandboxId.slice(0, Math.max(0, slash)), sandboxId.slice(slash + 1)];
	if (name === "" || id === "" || slash === -1) {
		const message = `Sandbox IDs must be prefixed as "<provider>/<id>"; got '${sandboxId}'.`;
		throw new SandboxAgentError("invalid_request", message, { message });
	}
	if (name !== provider.name) {
		const message = `Sandbox '${sandboxId}' belongs to provider '${name}', but this client was given provider '${provider.name}'.`;
		throw new SandboxAgentError("invalid_request", message, { message });
	}
	return id;
}

/** Failures that nobody asked to hear about: a library that swallows them helps nobody. */
export const reportToConsole: ErrorReporter = (error, context) => {
	// biome-ignore lint/suspicious/noConsole: the documented default of `onError`
	console.error(`[sandbox-agent] ${context}:`, error);
};

/** A reporter that cannot throw. */
export function safeReporter(report: ErrorReporter = reportToConsole): ErrorReporter {
	return (error, context) => {
		try {
			report(error, context);
		} catch (failure) {
			reportToConsole(failure, "error listener");
		}
	};
}

function oneOf(option: string, value: string, known: readonly string[]): void {
	if (!known.includes(value)) invalid(option, value, `one of ${known.join(", ")}`);
}

function atLeast(option: string, value: number | undefined, least: number): void {
	if (value !== undefined && !(Number.isFinite(value) && value >= least)) {
		invalid(option, value, `a number of at least ${least}`);
	}
}

function invalid(option: string, value: unknown, remedy: string): never {
	throw new SandboxAgentError("invalid_request", `option '${option}' is ${JSON.stringify(value)}; give ${remedy}`);
}

function positive(value: number | undefined): number | undefined {
	return value !== undefined && Number.isFinite(value) && value >= 1 ? Math.floor(value) : undefined;
}
