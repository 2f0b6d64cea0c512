/**
 * How a session got its place in an agent again, from the most to the least it keeps.
 *
 * - `live`: the agent's process is still there, and so is the session in it
 * - `resume`: a new process has taken the agent's own session up, without telling it again
 * - `load`: the same, and the agent told its history, which was compared with ours
 * - `replay`: a new session of the agent, which is told what was said
 * - `fresh`: a new session that knows nothing
 */
export const RUNGS = ["live", "resume", "load", "replay", "fresh"] as const;

/** One of {@link RUNGS}. */
export type ResumeRung = (typeof RUNGS)[number];

/** Something that is not as it was. */
export interface MissingPart {
	/**
	 * `background_processes`, `mcp_servers`, `mode`, `model`, `thought_level`, `option:<id>`, `agent_memory`, `older_messages`,
	 * `turn:<id>`; others may be added.
	 */
	what: string;
	/** Why, in one sentence for a person. */
	reason: string;
}

/** What came of restoring a session: nothing of it is assumed. */
export interface ResumeReceipt {
	rung: ResumeRung;
	/**
	 * What is as it was: `conversation`, `mode`, `model`, `thought_level`, `option:<id>`, `turn:<id>`, `permission:<id>`.
	 * `capsule`: the agent got its own files back first.
	 */
	restored: string[];
	missing: MissingPart[];
	/** Better ways that did not work, or were not there, with the reason. */
	tried: { rung: ResumeRung; reason: string }[];
	/** Epoch milliseconds. */
	at: number;
}

/** Which ways of restoring a session are good enough. */
export interface ResumeOptions {
	/**
	 * Ways that may be taken; the agent's live session always is. With none left the call fails with `resume_refused` and
	 * nothing has changed. `fresh` is taken unasked only where there is nothing that could be told.
	 * @default ["resume", "load", "replay"]
	 */
	allow?: readonly ResumeRung[] | undefined;
	/** Limit of one way, in milliseconds: an agent that hangs while it loads is given up. @default 60_000 */
	timeoutMs?: number | undefined;
}

export const DEFAULT_RUNGS: readonly ResumeRung[] = ["resume", "load", "replay"];
