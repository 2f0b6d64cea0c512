import { serverStopping } from "../acp/failures.ts";
import type { ChildGroups } from "../processes/child-groups.ts";
import type { ProcessTable } from "../processes/process-table.ts";
import type { ProcessHandlers } from "../routes/processes.ts";
import type { ProcessGroupLedger } from "../state/process-group-ledger.ts";

export interface ProcessHostOptions {
	/** The server's environment, without its token. */
	readonly environment: NodeJS.ProcessEnv;
	/** Absolute. */
	readonly homeDirectory: string;
	/** Absolute path of the server's own program. */
	readonly serverProgram: string;
	/** Resolves when what an earlier server left running is gone. */
	readonly ledger: () => Promise<ProcessGroupLedger>;
	/** Longest JSON body, in bytes. */
	readonly maxBodyBytes: number;
	readonly onError: (message: string, error: unknown) => void;
}

interface Loaded {
	readonly handlers: ProcessHandlers;
	readonly groups: ChildGroups;
	readonly table: ProcessTable;
}

/**
 * The processes of a server. Their code is loaded by the first request that needs it: a server that has just started
 * answers its first health check without it.
 */
export class ProcessHost {
	readonly handlers: ProcessHandlers;
	readonly #options: ProcessHostOptions;
	#loading: Promise<Loaded> | undefined;
	#closed = false;

	constructor(options: ProcessHostOptions) {
		this.#options = options;
		this.handlers = {
			getProcessConfig: async (context) => (await this.#require()).getProcessConfig(context),
			setProcessConfig: async (context) => (await this.#require()).setProcessConfig(context),
			runProcess: async (context) => (await this.#require()).runProcess(context),
			createProcess: async (context) => (await this.#require()).createProcess(context),
			listProcesses: async (context) => (await this.#require()).listProcesses(context),
			getProcess: async (context) => (await this.#require()).getProcess(context),
			deleteProcess: async (context) => (await this.#require()).deleteProcess(context),
			stopProcess: async (context) => (await this.#require()).stopProcess(context),
			killProcess: async (context) => (await this.#require()).killProcess(context),
			sendProcessInput: async (context) => (await this.#require()).sendProcessInput(context),
			getProcessLogs: async (context) => (await this.#require()).getProcessLogs(context),
		};
	}

	/** Ends every process with all it has started. */
	async close(): Promise<void> {
		this.#closed = true;
		const loaded = await this.#loading?.catch(() => undefined);
		loaded?.table.close();
		await loaded?.groups.close();
	}

	async #require(): Promise<ProcessHandlers> {
		// What began now would be ended by nobody.
		if (this.#closed) throw serverStopping();
		this.#loading ??= this.#load().catch((error: unknown) => {
			this.#loading = undefined;
			throw error;
		});
		const { handlers } = await this.#loading;
		if (this.#closed) throw serverStopping();
		return handlers;
	}

	async #load(): Promise<Loaded> {
		const { environment, homeDirectory, serverProgram, onError, maxBodyBytes } = this.#options;
		const [{ createProcesses }, ledger] = await Promise.all([import("../processes/index.ts"), this.#options.ledger()]);
		return createProcesses({ environment, homeDirectory, serverProgram, ledger, onError, maxBodyBytes });
	}
}
