import { killGroup, signalGroup } from "../agents/transport/process-group.ts";
import type { ProcessGroupLedger } from "../state/process-group-ledger.ts";
import { endMarked, killMarked } from "./marked-processes.ts";
import type { ProcessEnvironment } from "./process-environment.ts";

/** How often groups whose leader has ended are looked at, in ms. The kernel has no event for the end of a group. */
const LOOK_MS = 5000;

/** Between SIGTERM and SIGKILL when a server ends, in ms. It has to be done before the server's own time is up. */
const CLOSE_KILL_AFTER_MS = 1000;

export interface ChildGroupsOptions {
	readonly ledger: ProcessGroupLedger;
	readonly environment: ProcessEnvironment;
	/** Told when a group could not be remembered on disk. */
	readonly onError: (message: string, error: unknown) => void;
}

/** All process groups this server has started processes in, until nothing of them is left. */
export class ChildGroups {
	readonly #options: ChildGroupsOptions;
	readonly #groups = new Set<ChildGroup>();
	#looking: NodeJS.Timeout | undefined;
	#closed = false;

	constructor(options: ChildGroupsOptions) {
		this.#options = options;
	}

	/** Takes care of a group from its start on. */
	adopt(pgid: number, mark: string): ChildGroup {
		const { ledger, onError } = this.#options;
		const group = new ChildGroup(pgid, mark, {
			onLingering: () => this.#watch(),
			onGone: () => {
				this.#groups.delete(group);
				ledger.removeGroup(pgid);
			},
		});
		this.#groups.add(group);
		// Nobody is going to end it later.
		if (this.#closed) group.signal("SIGKILL");
		ledger.addGroup(pgid).catch((error: unknown) => {
			// A full disk costs the memory of this group, not the process.
			onError("a process group could not be recorded", error);
		});
		return group;
	}

	/** Ends all of them, and what has left them; what is started afterwards is ended at once. */
	async close(): Promise<void> {
		this.#closed = true;
		clearInterval(this.#looking);
		await Promise.all([...this.#groups].map((group) => group.endMembers(CLOSE_KILL_AFTER_MS)));
		await endMarked(this.#options.environment.markPrefix);
	}

	#watch(): void {
		if (this.#looking) return;
		this.#looking = setInterval(() => {
			let lingering = false;
			for (const group of this.#groups) lingering = group.look() || lingering;
			if (lingering) return;
			clearInterval(this.#looking);
			this.#looking = undefined;
		}, LOOK_MS);
		this.#looking.unref();
	}
}

interface ChildGroupEvents {
	/** The leader has ended, others of the group run on. */
	onLingering(): void;
	/** Nobody is left. */
	onGone(): void;
}

/** The process group of one child. */
export class ChildGroup {
	readonly pgid: number;
	readonly #mark: string;
	readonly #events: ChildGroupEvents;
	#leaderEnded = false;
	#gone = false;

	constructor(pgid: number, mark: string, events: ChildGroupEvents) {
		this.pgid = pgid;
		this.#mark = mark;
		this.#events = events;
	}

	/** To be called when the leader's exit is known: from then on its number may be given to another process. */
	leaderEnded(): void {
		this.#leaderEnded = true;
		if (this.look()) this.#events.onLingering();
	}

	/** Whether somebody of the group is left although its leader has ended. */
	look(): boolean {
		if (!this.#leaderEnded || this.#gone) return false;
		if (this.#isOurs()) return true;
		this.#gone = true;
		this.#events.onGone();
		return false;
	}

	/** Sends a signal to everybody in the group; SIGKILL reaches also who has left it. */
	signal(name: "SIGTERM" | "SIGKILL"): void {
		if (this.#isOurs()) signalGroup(this.pgid, name);
		if (name === "SIGKILL") killMarked(this.#mark);
	}

	/**
	 * Ends everybody in the group, and who has left it: SIGTERM, then SIGKILL.
	 * @param killAfterMs Time between the two, in ms.
	 */
	async end(killAfterMs: number): Promise<void> {
		await this.endMembers(killAfterMs);
		await endMarked(this.#mark);
	}

	/** The same without those who have left it. */
	async endMembers(killAfterMs: number): Promise<void> {
		if (this.#isOurs()) await killGroup(this.pgid, killAfterMs);
		this.look();
	}

	/**
	 * A number is not given to a new process while a group has it. So when the leader is known to have ended and there is a
	 * process with its number, the group has ended too and the number belongs to somebody else.
	 */
	#isOurs(): boolean {
		if (this.#gone || !signalGroup(this.pgid, 0)) return false;
		return !this.#leaderEnded || !exists(this.pgid);
	}
}

function exists(pid: number): boolean {
	try {
		process.kill(pid, 0);
		return true;
	} catch (error) {
		// EPERM: there is one, and it is not ours.
		return error instanceof Error && "code" in error && error.code === "EPERM";
	}
}
