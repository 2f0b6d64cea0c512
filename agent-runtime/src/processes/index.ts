import { createProcessRoutes, type ProcessHandlers } from "../routes/processes.ts";
import type { ProcessGroupLedger } from "../state/process-group-ledger.ts";
import { ChildGroups } from "./child-groups.ts";
import { ProcessEnvironment } from "./process-environment.ts";
import { ProcessLauncher } from "./process-launcher.ts";
import { type EndedLimits, ProcessTable } from "./process-table.ts";

export interface ProcessesOptions {
	/** The server's environment. */
	readonly environment: NodeJS.ProcessEnv;
	/** Absolute. */
	readonly homeDirectory: string;
	/** Absolute path of the server's own program. */
	readonly serverProgram: string;
	readonly ledger: ProcessGroupLedger;
	/** Longest JSON body, in bytes. */
	readonly maxBodyBytes: number;
	readonly onError: (message: string, error: unknown) => void;
	/** @default 1,000 processes and 128 MiB of logs */
	readonly endedLimits?: EndedLimits | undefined;
}

/** Puts the processes of a server together. */
export function createProcesses(options: ProcessesOptions): {
	handlers: ProcessHandlers;
	groups: ChildGroups;
	table: ProcessTable;
} {
	const environment = new ProcessEnvironment(options.environment, options.serverProgram);
	const groups = new ChildGroups({ ledger: options.ledger, environment, onError: options.onError });
	const launcher = new ProcessLauncher(groups, environment, options.homeDirectory);
	const table = new ProcessTable(launcher, options.endedLimits);
	return { groups, table, handlers: createProcessRoutes({ table, launcher, maxBodyBytes: options.maxBodyBytes }) };
}
