import * as z from "zod/mini";
import { queryBoolean, queryInteger } from "./query.ts";
import { defineRoute } from "./route.ts";

/** Limits of the processes of a server. They are not kept over its end. */
const processConfig = () =>
	z.object({
		/** How many managed processes may run at a time; those that have ended do not count. */
		maxConcurrentProcesses: wholeNumber(),
		/** How long a run without `timeoutMs` may take. */
		defaultRunTimeoutMs: wholeNumber(),
		/** The longest time a run can be given. */
		maxRunTimeoutMs: wholeNumber(),
		/** How much of each output stream a run keeps, in bytes. */
		maxOutputBytes: wholeNumber(),
		/** How much output of a managed process is kept, in bytes; the oldest goes first. */
		maxLogBytesPerProcess: wholeNumber(),
		/** The longest input of one request, in bytes after decoding. */
		maxInputBytesPerRequest: wholeNumber(),
	});

const processOwner = () => z.enum(["user", "desktop", "system"]);
const processState = () => z.enum(["running", "exited"]);
const logsStream = () => z.enum(["stdout", "stderr", "combined", "pty"]);

/** What to run. No shell is involved: `sh -c` is a command like any other. */
const program = () => ({
	/** Name, looked up in PATH, or path of the program. */
	command: z.string(),
	args: z.optional(z.array(z.string())),
	/** A leading `~/` is the home directory. @default the server's working directory, from which relative ones count too */
	cwd: z.nullish(z.string()),
	/** Added to the server's environment, which is passed on without the server's token. */
	env: z.optional(z.record(z.string(), z.string())),
});

const input = () =>
	z.object({
		data: z.optional(z.string()),
		/** `base64`, `utf8` or `text`, which is the same. @default "base64" */
		encoding: z.nullish(z.string()),
		/** Close the process's input behind the data. @default false */
		eof: z.optional(z.boolean()),
	});

const runBody = () =>
	z.object({
		...program(),
		/** Then it is ended with all it has started. 0: the default. @default `defaultRunTimeoutMs`, at most `maxRunTimeoutMs` */
		timeoutMs: z.nullish(wholeNumber()),
		/** The first so many bytes of each stream are kept. @default `maxOutputBytes`, which is also the most */
		maxOutputBytes: z.nullish(wholeNumber()),
		/** What it reads from its input, which is closed behind it. @default nothing */
		stdin: z.optional(z.object({ data: z.string(), encoding: z.nullish(z.string()) })),
		/** For a reader of events: tell output as it comes. @default true */
		live: z.optional(z.boolean()),
	});

const runReply = () =>
	z.object({
		/** `null` after a signal or a time-out. */
		exitCode: z.nullable(z.int()),
		timedOut: z.boolean(),
		/** Decoded as UTF-8. */
		stdout: z.string(),
		stderr: z.string(),
		stdoutTruncated: z.boolean(),
		stderrTruncated: z.boolean(),
		durationMs: z.int(),
		/** Name of the signal that ended it, where one did. */
		signal: z.optional(z.string()),
	});

/** When a managed process is started again by itself. A stop or kill ends that too. */
const restart = () =>
	z.object({
		/** `on-failure`: after another exit code than 0, or a signal. */
		policy: z.enum(["never", "on-failure", "always"]),
		/** How often in a row. A run of more than a minute starts the count anew. @default 10 */
		maxRetries: z.optional(wholeNumber()),
		/** Pause before the first one; it doubles up to a minute. @default 1000 */
		backoffMs: z.optional(wholeNumber()),
	});

const createBody = () =>
	z.object({
		...program(),
		/** Run it on a terminal. @default false */
		tty: z.optional(z.boolean()),
		/** Kept and shown; nothing depends on it. @default false */
		interactive: z.optional(z.boolean()),
		/** `null`: it reads the end of its input at once. @default "pipe" */
		stdin: z.optional(z.enum(["pipe", "null"])),
		restart: z.optional(restart()),
	});

const processInfo = () =>
	z.object({
		/** `proc_<n>`, counted from 1 by each server. */
		id: z.string(),
		command: z.string(),
		args: z.array(z.string()),
		/** Present when it was given. */
		cwd: z.optional(z.string()),
		tty: z.boolean(),
		interactive: z.boolean(),
		owner: processOwner(),
		/** `running` also while it waits to be started again. */
		status: processState(),
		/** Present while it runs. */
		pid: z.optional(z.int()),
		/** Present after an exit of its own accord. */
		exitCode: z.optional(z.int()),
		/** Name of the signal that ended it, where one did. */
		signal: z.optional(z.string()),
		createdAtMs: z.int(),
		exitedAtMs: z.optional(z.int()),
		/** How often it was started again; present with `restart`. */
		restarts: z.optional(z.int()),
	});

const logEntry = () =>
	z.object({
		/** Counts from 1 over all streams of a process. */
		sequence: z.int(),
		stream: logsStream(),
		timestampMs: z.int(),
		/** A piece of output as it was read: neither lines nor characters are kept whole. */
		data: z.string(),
		encoding: z.literal("base64"),
	});

const logsReply = () =>
	z.object({
		processId: z.string(),
		stream: logsStream(),
		entries: z.array(logEntry()),
		/** Sequences after `since` that are not kept any more, inclusive; absent when there are none. */
		evicted: z.optional(z.object({ from: z.int(), to: z.int() })),
	});

const signalQuery = () => z.object({ waitMs: z.optional(queryInteger()) });

const spawnErrors = ["stream_error", "capability_unsupported", "internal_error"] as const;

export const getProcessConfig = defineRoute({
	name: "getProcessConfig",
	method: "GET",
	path: "/v1/processes/config",
	summary: "The limits of processes",
	replies: [{ status: 200, description: "The limits", body: processConfig }],
});

export const setProcessConfig = defineRoute({
	name: "setProcessConfig",
	method: "POST",
	path: "/v1/processes/config",
	summary: "Set the limits of processes, all of them",
	description:
		"A `defaultRunTimeoutMs` above `maxRunTimeoutMs` is lowered to it. Processes that run keep their limits.",
	body: processConfig,
	replies: [{ status: 200, description: "The limits as they are now", body: processConfig }],
});

export const runProcess = defineRoute({
	name: "runProcess",
	method: "POST",
	path: "/v1/processes/run",
	summary: "Run a command to its end",
	description:
		"Answers when the command has ended; what it has left running in the background is not waited for, and goes on. At " +
		"its time-out, and when the caller goes away, the command is ended with all its process group. With `accept: " +
		"text/event-stream` the answer begins at once and has signs of life: output is sent as it comes, as `event: log` like " +
		"that of a managed process, unless `live` is false, and the result as `event: result`.",
	body: runBody,
	replies: [{ status: 200, description: "It has ended, or its time was up", body: runReply }],
	errors: spawnErrors,
});

export const createProcess = defineRoute({
	name: "createProcess",
	method: "POST",
	path: "/v1/processes",
	summary: "Start a process and keep it",
	description:
		"Its output is logged, its input stays open until it is closed by `eof`. The newest 1,000 processes that have ended " +
		"are kept, and 128 MiB of their logs.",
	body: createBody,
	replies: [{ status: 200, description: "It runs", body: processInfo }],
	errors: ["conflict", "pty_unavailable", ...spawnErrors],
});

export const listProcesses = defineRoute({
	name: "listProcesses",
	method: "GET",
	path: "/v1/processes",
	summary: "The processes of this server, oldest first",
	query: () => z.object({ owner: z.optional(processOwner()) }),
	replies: [
		{ status: 200, description: "Running and ended ones", body: () => z.object({ processes: z.array(processInfo()) }) },
	],
});

export const getProcess = defineRoute({
	name: "getProcess",
	method: "GET",
	path: "/v1/processes/{id}",
	summary: "One process",
	replies: [{ status: 200, description: "The process", body: processInfo }],
	errors: ["not_found"],
});

export const deleteProcess = defineRoute({
	name: "deleteProcess",
	method: "DELETE",
	path: "/v1/processes/{id}",
	summary: "Forget a process that has ended, and its log",
	replies: [{ status: 204, description: "Forgotten" }],
	errors: ["not_found", "conflict"],
});

export const stopProcess = defineRoute({
	name: "stopProcess",
	method: "POST",
	path: "/v1/processes/{id}/stop",
	summary: "Ask a process and its children to end",
	description:
		"SIGTERM to its process group. Answers when it has ended, or after `waitMs` (default 2000, 0: at once) with what is " +
		"then the case. A process that ignores it goes on; children that outlive it are killed.",
	query: signalQuery,
	replies: [{ status: 200, description: "The process", body: processInfo }],
	errors: ["not_found"],
});

export const killProcess = defineRoute({
	name: "killProcess",
	method: "POST",
	path: "/v1/processes/{id}/kill",
	summary: "End a process and its children at once",
	description: "SIGKILL to its process group. Waits like a stop.",
	query: signalQuery,
	replies: [{ status: 200, description: "The process", body: processInfo }],
	errors: ["not_found"],
});

export const sendProcessInput = defineRoute({
	name: "sendProcessInput",
	method: "POST",
	path: "/v1/processes/{id}/input",
	summary: "Write to the input of a process, or close it",
	description: "Answers when the process's pipe has taken the data. Data without `encoding` is base64.",
	body: input,
	replies: [{ status: 200, description: "Written", body: () => z.object({ bytesWritten: z.int() }) }],
	errors: ["not_found", "conflict", "queue_full"],
});

export const getProcessLogs = defineRoute({
	name: "getProcessLogs",
	method: "GET",
	path: "/v1/processes/{id}/logs",
	summary: "The output of a process, or its stream",
	description:
		"`follow=true` answers with server-sent events: `event: log` carries one entry, its `id` is the sequence; `event: " +
		"gap` names sequences that are not kept any more; `event: exit` says how the process ended and is the last one. The " +
		"header `sandbox-agent-log-start` is the sequence behind which the stream begins; `sandbox-agent-log` names the " +
		"server's run: sequences of another run belong to another process.",
	query: () =>
		z.object({
			/** `combined`: stdout and stderr in the order in which they were read. */
			stream: z.optional(logsStream()),
			/** The last so many entries. */
			tail: z.optional(queryInteger()),
			/** Entries with a greater sequence. */
			since: z.optional(queryInteger()),
			follow: z.optional(queryBoolean()),
		}),
	headers: { "last-event-id": "Like `since`; the greater one counts." },
	replies: [{ status: 200, description: "The entries that are kept", body: logsReply }],
	errors: ["not_found"],
});

/** An integer that is not negative. */
function wholeNumber() {
	return z.int().check(z.nonnegative());
}

export type ProcessConfig = z.infer<ReturnType<typeof processConfig>>;
export type ProcessOwner = z.infer<ReturnType<typeof processOwner>>;
export type ProcessState = z.infer<ReturnType<typeof processState>>;
export type ProcessLogsStream = z.infer<ReturnType<typeof logsStream>>;
export type ProcessInfo = z.infer<ReturnType<typeof processInfo>>;
export type ProcessRunBody = z.infer<ReturnType<typeof runBody>>;
export type ProcessRunResponse = z.infer<ReturnType<typeof runReply>>;
export type ProcessRestart = z.infer<ReturnType<typeof restart>>;
export type ProcessCreateRequest = z.infer<ReturnType<typeof createBody>>;
export type ProcessInputRequest = z.infer<ReturnType<typeof input>>;
export interface ProcessInputResponse {
	bytesWritten: number;
}
export interface ProcessListQuery {
	owner?: ProcessOwner | undefined;
}
export interface ProcessListResponse {
	processes: ProcessInfo[];
}
export type ProcessLogEntry = z.infer<ReturnType<typeof logEntry>>;
export type ProcessLogsResponse = z.infer<ReturnType<typeof logsReply>>;
