import type { ProcessInfo, ProcessLogsResponse, ProcessRunResponse } from "@sandbox-agent/core/api";
import { createProcesses } from "../../../src/processes/index.ts";
import type { EndedLimits } from "../../../src/processes/process-table.ts";
import { ProcessGroupLedger } from "../../../src/state/process-group-ledger.ts";
import { type Answer, call } from "../../server/support/http.ts";
import { AUTHORIZED, startTestApp } from "../../server/support/test-app.ts";
import { isAlive } from "../../support/wait.ts";

const MAX_BODY_BYTES = 64 * 1024 * 1024;

export interface ProcessServerOptions {
	readonly environment?: NodeJS.ProcessEnv;
	readonly endedLimits?: EndedLimits;
}

export type ProcessServer = Awaited<ReturnType<typeof startProcessServer>>;

/** The routes of processes on a real port. At its end everything it started is ended, which is checked. */
export async function startProcessServer(options: ProcessServerOptions = {}) {
	const { environment = { PATH: process.env.PATH }, endedLimits } = options;
	const ledger = new ProcessGroupLedger(undefined);
	const started: number[] = [];
	const addGroup = ledger.addGroup.bind(ledger);
	ledger.addGroup = (pgid) => {
		started.push(pgid);
		return addGroup(pgid);
	};
	const failures: unknown[] = [];
	const processes = createProcesses({
		environment,
		homeDirectory: "/tmp",
		serverProgram: "/the/server",
		ledger,
		maxBodyBytes: MAX_BODY_BYTES,
		endedLimits,
		onError: (_, error) => failures.push(error),
	});
	const app = await startTestApp({ handlers: processes.handlers, maxBodyBytes: MAX_BODY_BYTES });
	const send = (method: string, path: string, body?: unknown): Promise<Answer> =>
		call(app.port, {
			method,
			path: `/v1/processes${path}`,
			headers: { ...AUTHORIZED, ...(body === undefined ? {} : { "content-type": "application/json" }) },
			...(body === undefined ? {} : { body: JSON.stringify(body) }),
		});
	return {
		port: app.port,
		table: processes.table,
		groups: processes.groups,
		/** Ids of the groups in which something was started. */
		started,
		failures,
		send,
		async run(body: object): Promise<ProcessRunResponse> {
			return expectJson(await send("POST", "/run", body)) as ProcessRunResponse;
		},
		/** Runs a line of shell. */
		shell(line: string, more: object = {}): Promise<ProcessRunResponse> {
			return this.run({ command: "sh", args: ["-c", line], ...more });
		},
		async create(body: object): Promise<ProcessInfo> {
			return expectJson(await send("POST", "", body)) as ProcessInfo;
		},
		/** Starts a line of shell as a managed process. */
		createShell(line: string, more: object = {}): Promise<ProcessInfo> {
			return this.create({ command: "sh", args: ["-c", line], ...more });
		},
		async info(id: string): Promise<ProcessInfo> {
			return expectJson(await send("GET", `/${id}`)) as ProcessInfo;
		},
		async logs(id: string, query = ""): Promise<ProcessLogsResponse> {
			return expectJson(await send("GET", `/${id}/logs${query}`)) as ProcessLogsResponse;
		},
		/** Resolves when a process has ended. */
		async end(id: string): Promise<ProcessInfo> {
			await processes.table.require(id).ended;
			return this.info(id);
		},
		async [Symbol.asyncDispose]() {
			processes.table.close();
			await processes.groups.close();
			await app[Symbol.asyncDispose]();
			const survivors = started.filter((pgid) => isAlive(pgid));
			if (survivors.length > 0) throw new Error(`processes were left: ${survivors.join(", ")}`);
		},
	};
}

function expectJson(answer: Answer): unknown {
	if (answer.status !== 200) throw new Error(`${answer.status}: ${answer.text}`);
	return answer.json();
}

/** What the entries of a log say. */
export function textOf(entries: readonly { data: string }[]): string {
	return Buffer.concat(entries.map(({ data }) => Buffer.from(data, "base64"))).toString("utf8");
}
