import type { IncomingMessage, ServerResponse } from "node:http";
import {
	HEADERS,
	type ProcessConfig,
	type ProcessLogsResponse,
	type ProcessRunBody,
	type ProcessRunResponse,
	ROUTES,
} from "@sandbox-agent/core/api";
import { decodeInput } from "../processes/decode-input.ts";
import { logEvent, plainEvent, toLogEntry } from "../processes/log-event.ts";
import { followLog } from "../processes/log-follower.ts";
import type { ManagedProcess } from "../processes/managed-process.ts";
import type { OutputEntry } from "../processes/output-log.ts";
import type { ProcessLauncher } from "../processes/process-launcher.ts";
import { checkLimits } from "../processes/process-limits.ts";
import type { ProcessTable } from "../processes/process-table.ts";
import { checkProgram } from "../processes/program.ts";
import { type RunOptions, runProgram } from "../processes/run-program.ts";
import { readJson } from "../server/mount.ts";
import { invalidRequest, unprocessableBody } from "../server/request-errors.ts";
import type { RouteHandlers } from "../server/route-handler.ts";
import { sendJson } from "../server/send.ts";
import { parseBody } from "../server/validate.ts";

export type ProcessHandlers = Pick<
	RouteHandlers,
	| "getProcessConfig"
	| "setProcessConfig"
	| "runProcess"
	| "createProcess"
	| "listProcesses"
	| "getProcess"
	| "deleteProcess"
	| "stopProcess"
	| "killProcess"
	| "sendProcessInput"
	| "getProcessLogs"
>;

/** How long a stop or kill waits for the end by default, in milliseconds. */
const DEFAULT_WAIT_MS = 2000;
/** The longest wait: beyond it a timer would not wait at all. */
const MAX_WAIT_MS = 2 ** 31 - 1;

const HEARTBEAT_MS = 15_000;

export interface ProcessRoutesOptions {
	readonly table: ProcessTable;
	readonly launcher: ProcessLauncher;
	/** Longest JSON body, in bytes. */
	readonly maxBodyBytes: number;
}

/** The handlers of `/v1/processes`. */
export function createProcessRoutes({ table, launcher, maxBodyBytes }: ProcessRoutesOptions): ProcessHandlers {
	return {
		getProcessConfig: () => table.limits,

		setProcessConfig({ body }) {
			table.limits = checkLimits(body);
			return table.limits;
		},

		async runProcess({ request, response }) {
			// The table of routes says what the schema gives.
			const body = parseBody(ROUTES.runProcess, await readJson(request, maxBodyBytes)) as ProcessRunBody;
			const options = runOptions(body, table.limits, goneSignal(response));
			const program = checkProgram(body);
			if (wantsEvents(request)) {
				await sendRun(response, body.live ?? true, (attach) => runProgram(launcher, program, { ...options, attach }));
				return;
			}
			sendJson(response, 200, await runProgram(launcher, program, options));
		},

		async createProcess({ body }) {
			return (await table.start(body, "user")).info();
		},

		listProcesses: ({ query }) => ({ processes: table.list(query.owner).map((process) => process.info()) }),

		getProcess: ({ params }) => table.require(params.id).info(),

		deleteProcess({ params }) {
			table.delete(params.id);
			return undefined;
		},

		async stopProcess({ params, query }) {
			const process = table.require(params.id);
			await process.stop(Math.min(query.waitMs ?? DEFAULT_WAIT_MS, MAX_WAIT_MS));
			return process.info();
		},

		async killProcess({ params, query }) {
			const process = table.require(params.id);
			await process.kill(Math.min(query.waitMs ?? DEFAULT_WAIT_MS, MAX_WAIT_MS));
			return process.info();
		},

		async sendProcessInput({ params, body }) {
			const { data, encoding, eof = false } = body;
			if (data === undefined && !eof) throw unprocessableBody("data: missing; expected string");
			const bytes = decodeInput({ data: data ?? "", encoding }, table.limits.maxInputBytesPerRequest);
			await table.require(params.id).write(bytes, eof);
			return { bytesWritten: bytes.length };
		},

		async getProcessLogs({ request, response, params, query }) {
			const process = table.require(params.id);
			const stream = query.stream ?? "combined";
			const wants = (entry: OutputEntry) => stream === "combined" || entry.stream === stream;
			const since = Math.max(query.since ?? 0, readCursor(request));
			const after = query.tail === undefined ? since : afterTail(process, { since, wants, count: query.tail });
			const headers = { [HEADERS.log]: table.epoch };
			if (query.follow !== true) {
				const reply = readLogs(process, { stream, since, after, wants });
				for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
				sendJson(response, 200, reply);
				return;
			}
			beginEvents(response, { ...headers, [HEADERS.logStart]: String(after) });
			if (request.method !== "HEAD") {
				await followLog({ process, response, wants, after, heartbeatMs: HEARTBEAT_MS });
			}
			response.end();
		},
	};
}

/** @throws invalid_request */
function runOptions(body: ProcessRunBody, limits: ProcessConfig, signal: AbortSignal): RunOptions {
	const { defaultRunTimeoutMs, maxRunTimeoutMs, maxOutputBytes } = limits;
	return {
		timeoutMs: Math.min(body.timeoutMs || defaultRunTimeoutMs, maxRunTimeoutMs, MAX_WAIT_MS),
		maxOutputBytes: Math.min(body.maxOutputBytes ?? maxOutputBytes, maxOutputBytes),
		// Its length has the limit of the body.
		stdin: body.stdin && decodeInput(body.stdin, Number.POSITIVE_INFINITY),
		signal,
	};
}

/** Sends the output of a run as it comes, and its result. The run is held up by a reader that is slower than it. */
async function sendRun(
	response: ServerResponse,
	isLive: boolean,
	run: (attach: NonNullable<RunOptions["attach"]>) => Promise<ProcessRunResponse>,
): Promise<void> {
	let heartbeat: NodeJS.Timeout | undefined;
	try {
		const result = await run((child) => {
			// Only now is it known that there is output to send, and not a problem.
			beginEvents(response, {});
			heartbeat = setInterval(() => response.write(":\n\n"), HEARTBEAT_MS);
			response.on("drain", () => {
				child.stdout.resume();
				child.stderr.resume();
			});
			let sequence = 0;
			if (!isLive) return () => undefined;
			return (stream, data) => {
				sequence += 1;
				if (response.write(logEvent({ sequence, stream, timestampMs: Date.now(), data }), "latin1")) return;
				child.stdout.pause();
				child.stderr.pause();
			};
		});
		response.end(plainEvent("result", result));
	} finally {
		clearInterval(heartbeat);
	}
}

function readLogs(
	process: ManagedProcess,
	query: {
		readonly stream: ProcessLogsResponse["stream"];
		readonly since: number;
		readonly after: number;
		readonly wants: (entry: OutputEntry) => boolean;
	},
): ProcessLogsResponse {
	const entries = [...process.log.entriesAfter(query.after)].filter(query.wants).map(toLogEntry);
	const evicted = process.log.evictedAfter(query.since);
	return { processId: process.id, stream: query.stream, entries, ...(evicted ? { evicted } : {}) };
}

/** The sequence behind which the last so many wanted entries lie. */
function afterTail(
	{ log }: ManagedProcess,
	tail: { readonly since: number; readonly wants: (entry: OutputEntry) => boolean; readonly count: number },
): number {
	let missing = tail.count;
	for (let sequence = log.last; sequence > tail.since; sequence--) {
		if (missing === 0) return sequence;
		const entry = log.entry(sequence);
		// A reader of the newest entries has not missed those that are gone.
		if (!entry) return sequence;
		if (tail.wants(entry)) missing -= 1;
	}
	return tail.since;
}

function beginEvents(response: ServerResponse, headers: Readonly<Record<string, string>>): void {
	response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache", ...headers });
	response.flushHeaders();
}

function wantsEvents(request: IncomingMessage): boolean {
	return request.headers.accept?.toLowerCase().includes("text/event-stream") ?? false;
}

function readCursor(request: IncomingMessage): number {
	const value = request.headers["last-event-id"];
	if (value === undefined || value === "") return 0;
	if (typeof value === "string" && /^\d{1,15}$/.test(value)) return Number(value);
	throw invalidRequest("Last-Event-ID must be a sequence");
}

function goneSignal(response: ServerResponse): AbortSignal {
	const controller = new AbortController();
	response.once("close", () => {
		if (!response.writableFinished) controller.abort();
	});
	return controller.signal;
}
