import { ROUTES } from "@sandbox-agent/core/api";
import { SandboxAgentError } from "@sandbox-agent/core/errors";
import { type LogPosition, OPEN_TURN_STATES, type SessionRecord, type TurnRecord } from "@sandbox-agent/core/session";
import type { AgentConnections, OpenConnection } from "../../acp/agent-connections.ts";
import { askState } from "../../acp/ask-state.ts";
import { toError } from "../../acp/connection-errors.ts";
import { type Envelope, isObject, isReply, paramsOf, parseEnvelope } from "../../acp/envelope.ts";
import { lineEventId } from "../../acp/event-id.ts";
import { readLogPage } from "../../acp/log-page.ts";
import { AcpRpcError } from "../../errors/index.ts";
import { requestPath } from "../../http/client.ts";
import { withLimits } from "../../http/request.ts";
import type { ServerLink } from "../../http/server-link.ts";
import type { ErrorReporter } from "../../listeners.ts";
import { newestEvents, storedPosition } from "../history.ts";
import type { Permissions } from "../permissions.ts";
import { Replay, type ReplayLimits, type ReplayText } from "../replay.ts";
import type { SessionOpener } from "../session-opener.ts";
import { type Choices, choicesFromReply } from "../session-options.ts";
import type { SessionRouter } from "../session-router.ts";
import type { SessionBinding, SessionState } from "../session-state.ts";
import type { SessionStore } from "../session-store.ts";
import { endedBy } from "../turn.ts";
import type { Turns } from "../turns.ts";
import { LoadedHistory, lastPrompts } from "./loaded-history.ts";
import { reapplyChoices } from "./reapply-choices.ts";
import { DEFAULT_RUNGS, type ResumeOptions, type ResumeReceipt, type ResumeRung, RUNGS } from "./receipt.ts";

/** Some agents resume what they have lost, and cannot go on with it. */
const DOUBT = "the agent resumed it before, and failed its first prompt";

/** Limit of one rung, in milliseconds. */
const RUNG_TIMEOUT_MS = 60_000;

/** The client gives a connection one agent process in its life; a later one was started by somebody else. */
const FIRST_GENERATION = 1;

/** Puts the agent's own files of a session back. `undefined`: there are none in the store. */
export interface CapsuleRestorer {
	restore(session: { sessionId: string; agent: string; agentSessionId: string; cwd: string }): Promise<unknown>;
}

/** What a ladder is made of. */
export interface ResumeLadderOptions {
	readonly connections: AgentConnections;
	readonly router: SessionRouter;
	readonly store: SessionStore;
	readonly opener: SessionOpener;
	readonly turns: Turns;
	readonly permissions: Permissions;
	readonly link: ServerLink;
	/** Absent: the agents' own memory is not kept. */
	readonly capsules: CapsuleRestorer | undefined;
	readonly replay: ReplayLimits;
	/** The sandbox that the client is attached to, if it knows one. */
	readonly sandboxId: () => string | undefined;
	readonly report: ErrorReporter;
}

/** A session that is being restored. */
interface Climb {
	readonly state: SessionState;
	readonly record: SessionRecord;
	readonly receipt: ResumeReceipt;
	/** JSON-RPC id of a recorded message that is about to be sent again: it is no history yet. */
	readonly resending: string | undefined;
	readonly timeoutMs: number;
	/** Whether the agent resumed it and then failed its first prompt. */
	readonly doubted: boolean;
}

/** A session in its place, and what the agent answered about its choices. */
interface Placed {
	readonly binding: SessionBinding;
	readonly open: OpenConnection;
	/** `undefined`: nothing was asked, because nothing has changed. */
	readonly reply: unknown;
}

/**
 * Gives a session its place in an agent again, on the best way there is, and tells in a receipt which way that was and
 * what it could not keep. Ways that the caller forbids are not taken.
 */
export class ResumeLadder {
	readonly #options: ResumeLadderOptions;

	constructor(options: ResumeLadderOptions) {
		this.#options = options;
	}

	/** @throws resume_refused when no allowed way is left; the agent's connection errors pass through */
	async climb(
		state: SessionState,
		record: SessionRecord,
		options: ResumeOptions & { resending?: string | undefined } = {},
	): Promise<{ binding: SessionBinding; receipt: ResumeReceipt }> {
		state.recorder.reopen();
		await state.recorder.idle();
		const receipt: ResumeReceipt = { rung: "fresh", restored: [], missing: [], tried: [], at: Date.now() };
		const climb: Climb = {
			state,
			record,
			receipt,
			resending: options.resending,
			timeoutMs: options.timeoutMs ?? RUNG_TIMEOUT_MS,
			doubted: state.resumption === "doubted",
		};
		const live = await this.#live(climb);
		const placed = live ?? (await this.#descend(climb, new Set(options.allow ?? DEFAULT_RUNGS)));
		try {
			await this.#settle(climb, placed);
		} catch (error) {
			// What comes over its connection is another client's from now on.
			if (state.isLost) this.#options.router.leave(placed.binding, state, toError(error));
			throw error;
		}
		return { binding: placed.binding, receipt };
	}

	/** The ways that need a new process of the agent, or a new session in one. */
	async #descend(climb: Climb, allowed: ReadonlySet<ResumeRung>): Promise<Placed> {
		const { state, record, receipt } = climb;
		const open = await this.#options.connections.get(record.agent);
		const own = await this.#ownSession(climb, open, allowed);
		await this.#abandonTurns(climb);
		if (own) {
			receipt.missing.push({
				what: "background_processes",
				reason: "the agent runs in a new process: what it had started in the old one is not known to it",
			});
			this.#doubtServers(climb);
			return own;
		}
		const replay = await this.#replayText(climb);
		if (replay === undefined || (!allowed.has("replay") && allowed.has("fresh"))) {
			receipt.rung = "fresh";
			if (replay !== undefined) receipt.missing.push({ what: "agent_memory", reason: "the agent knows nothing of it" });
		} else if (allowed.has("replay")) {
			receipt.rung = "replay";
			receipt.missing.push({
				what: "agent_memory",
				reason: "the agent is told what was said, but does not remember its own thoughts, files read or tool results",
			});
			if (replay.truncated) {
				receipt.missing.push({ what: "older_messages", reason: "only the newest messages fit into what it is told" });
			}
		} else {
			throw refused(climb, allowed);
		}
		this.#doubtServers(climb);
		const opened = await this.#options.opener.open(state, record.agent, this.#options.opener.init(record));
		state.replay = receipt.rung === "replay" ? replay?.text : undefined;
		return { binding: opened.binding, open, reply: opened.reply };
	}

	/** The session in the process it was in, when both are still there. */
	async #live(climb: Climb): Promise<Placed | undefined> {
		const { state, record, receipt, doubted } = climb;
		const { connections, router, store, link } = this.#options;
		const { agent, lastConnectionId: connectionId, agentSessionId, agentCapabilities, agentInfo } = record;
		const miss = (reason: string) => {
			receipt.tried.push({ rung: "live", reason });
			return undefined;
		};
		if (doubted) return miss(DOUBT);
		if (record.destroyedAt !== undefined && canClose(agentCapabilities)) return miss("it was closed at its agent");
		const from = await storedPosition(store.driver, state.id, connectionId);
		if (!agentCapabilities || !from) return miss("it is not stored how far the connection was read");
		const standing = await askState(link, connectionId);
		if (!standing) return miss("the server does not know the connection any more");
		if (standing.log.epoch !== from.epoch) return miss("the server has another log of the connection");
		if (!standing.alive || standing.generation !== FIRST_GENERATION) {
			// What it said before it ended is still there.
			await this.#readRest(climb, from, standing.log.head);
			return miss("the agent's process has ended");
		}
		const open = connections.attach({ agent, connectionId, from, capabilities: agentCapabilities, agentInfo });
		const binding = { connection: open.connection, agentSessionId, capabilities: agentCapabilities };
		receipt.rung = "live";
		receipt.restored.push("conversation");
		await router.join(open.connection, agentSessionId, state, {
			after: from.id,
			// What is told next may be the end of a turn, or the answer to a question.
			prepare: async () => {
				for (const turn of await this.#openTurns(climb)) await this.#adopt(climb, open, turn);
				await this.#options.permissions.reoffer(state, open.connection, store.driver);
			},
		});
		for (const { id } of this.#options.permissions.list(state.id)) receipt.restored.push(`permission:${id}`);
		return { binding, open, reply: undefined };
	}

	/** Stores what a connection without a live agent still has to tell of a session. */
	async #readRest(climb: Climb, from: LogPosition, head: number): Promise<void> {
		const { state, record } = climb;
		const { link, report } = this.#options;
		const { lastConnectionId: connectionId, agentSessionId } = record;
		const turns = new Map((await this.#openTurns(climb)).map((turn) => [turn.requestId, turn]));
		const path = requestPath(ROUTES.streamAcp.path, { params: { server_id: connectionId } });
		const { epoch } = from;
		for (let after = from.id; after < head; ) {
			let pressure: Promise<void> | undefined;
			after = await readLogPage(
				{ link, path, epoch },
				{
					after,
					to: head,
					signal: link.signal,
					onGap: (gap) => report(new Error(`messages ${gap.from} to ${gap.to} are lost`), `restoring '${state.id}'`),
					onLine: (data, id) => {
						const envelope = parseLine(data);
						if (!envelope) return true;
						const turn = isReply(envelope) ? turns.get(String(envelope.id)) : undefined;
						if (!turn && paramsOf(envelope).sessionId !== agentSessionId) return true;
						pressure = state.recorder.push({
							event: {
								id: lineEventId(epoch, id),
								connectionId,
								sender: "agent",
								payload: envelope,
								log: { epoch, id },
							},
							turn: turn && endedBy(turn, envelope),
						});
						return pressure === undefined;
					},
				},
			);
			await pressure;
		}
		await state.recorder.idle();
	}

	/** The agent's own session in another process: resumed or loaded, where the agent can. */
	async #ownSession(climb: Climb, open: OpenConnection, allowed: ReadonlySet<ResumeRung>): Promise<Placed | undefined> {
		const found = await this.#tryOwnSession(climb, open, allowed);
		if (found || !this.#options.capsules || !(allowed.has("resume") || allowed.has("load"))) return found;
		// The agent may not have it because it runs in another sandbox: its own files are put back, and it is asked again.
		if (!(await this.#restoreCapsule(climb))) return undefined;
		const remembered = await this.#tryOwnSession(climb, open, allowed);
		if (!remembered) return undefined;
		const { receipt } = climb;
		receipt.restored.push("capsule");
		// What it could not do before it had its files does not count.
		receipt.tried = receipt.tried.filter(({ rung }) => RUNGS.indexOf(rung) < RUNGS.indexOf(receipt.rung));
		return remembered;
	}

	async #tryOwnSession(
		climb: Climb,
		open: OpenConnection,
		allowed: ReadonlySet<ResumeRung>,
	): Promise<Placed | undefined> {
		const { receipt } = climb;
		const { capabilities } = open;
		const { sessionCapabilities } = capabilities;
		const can: Record<"resume" | "load", boolean> = {
			resume: isObject(sessionCapabilities) && Boolean(sessionCapabilities.resume),
			load: capabilities.loadSession === true,
		};
		// A load is checked against what we know: an agent that fails it has not the session that it resumed either.
		for (const rung of climb.doubted ? (["load", "resume"] as const) : (["resume", "load"] as const)) {
			if (!allowed.has(rung)) {
				note(receipt, rung, "not allowed by the caller");
				continue;
			}
			if (!can[rung]) {
				note(receipt, rung, "the agent cannot");
				continue;
			}
			try {
				return await this.#take(climb, open, rung);
			} catch (error) {
				if (open.connection.isEnded) throw error;
				note(receipt, rung, reasonOf(error));
				if (climb.doubted) {
					note(receipt, "resume", DOUBT);
					return undefined;
				}
			}
		}
		return undefined;
	}

	async #take(climb: Climb, open: OpenConnection, rung: "resume" | "load"): Promise<Placed> {
		const { state, record, receipt, timeoutMs } = climb;
		const { agentSessionId } = record;
		const { connection, capabilities } = open;
		const { opener, router, store } = this.#options;
		const history = rung === "load" ? new LoadedHistory() : undefined;
		const params = { ...opener.init(record), sessionId: agentSessionId };
		const owner = state;
		state.loading = history;
		router.route(connection, agentSessionId, state);
		try {
			const reply = await withLimits(`session/${rung}`, { timeoutMs }, (signal) =>
				connection.request(`session/${rung}`, params, { owner, order: agentSessionId, signal }),
			);
			const prompts = history ? await lastPrompts(newestEvents(store.driver, state.id)) : [];
			// Some agents load a session that they do not have, as an empty one.
			if (history && !history.hasAnyOf(prompts)) {
				throw new Error(
					history.isEmpty ? "the agent has no history of it" : "the agent has another history than the one stored",
				);
			}
			receipt.rung = rung;
			receipt.restored.push("conversation");
			return { binding: { connection, agentSessionId, capabilities }, open, reply };
		} catch (error) {
			router.unbind(connection, agentSessionId);
			throw error;
		} finally {
			state.loading = undefined;
		}
	}

	async #restoreCapsule({ state, record, receipt }: Climb): Promise<boolean> {
		const { cwd } = this.#options.opener.init(record);
		const { agent, agentSessionId } = record;
		try {
			const restored = await this.#options.capsules?.restore({ sessionId: state.id, agent, agentSessionId, cwd });
			return restored !== undefined;
		} catch (error) {
			if (!SandboxAgentError.isInstance(error)) throw error;
			receipt.tried.push({ rung: "load", reason: `the capsule could not be put back: ${error.message}` });
			return false;
		}
	}

	/** Writes what is so now, sets what was chosen before, and writes the record. */
	async #settle(climb: Climb, { binding, open, reply }: Placed): Promise<void> {
		const { state, record, receipt } = climb;
		const { store, report } = this.#options;
		const { destroyedAt: _, configOptions, modes, ...kept } = state.record ?? record;
		const wanted: Choices = { configOptions, modes };
		const told = choicesFromReply(reply);
		const sandboxId = this.#options.sandboxId();
		await store.save(state, {
			...kept,
			...(sandboxId === undefined ? {} : { sandboxId }),
			agentSessionId: binding.agentSessionId,
			lastConnectionId: binding.connection.connectionId,
			agentCapabilities: binding.capabilities,
			...(open.agentInfo ? { agentInfo: open.agentInfo } : {}),
			...(reply === undefined ? wanted : { ...(told.modes || told.configOptions ? told : wanted) }),
		});
		state.bindTo(binding);
		state.resumption = receipt.rung === "resume" ? "unproven" : undefined;
		if (reply !== undefined) await reapplyChoices(state, binding, wanted, receipt, report);
	}

	async #replayText({ state, resending }: Climb): Promise<ReplayText | undefined> {
		const replay = new Replay(this.#options.replay);
		for await (const event of newestEvents(this.#options.store.driver, state.id)) {
			if (resending !== undefined && event.payload.id === resending) continue;
			if (!replay.add(event)) break;
		}
		return replay.build();
	}

	/** Turns that are open in the store although this client does not drive them. */
	async #openTurns({ state }: Climb): Promise<TurnRecord[]> {
		const { items } = await this.#options.store.driver.listTurns({ sessionId: state.id, states: OPEN_TURN_STATES });
		return items.filter((turn) => !state.turns.get(turn.id)?.isRecorded);
	}

	/** Goes on waiting for the end of a turn that is under way at the agent. */
	async #adopt({ state, receipt }: Climb, open: OpenConnection, turn: TurnRecord): Promise<void> {
		const { turns } = this.#options;
		if (await turns.adopt(state, open.connection, turn)) receipt.restored.push(`turn:${turn.id}`);
		else receipt.missing.push({ what: `turn:${turn.id}`, reason: "the agent never got it" });
	}

	/** Ends turns whose connection is gone: nobody will hear of their end. */
	async #abandonTurns(climb: Climb): Promise<void> {
		for (const turn of await this.#openTurns(climb)) {
			const ended = await this.#options.turns.abandon(climb.state, turn);
			climb.receipt.missing.push({
				what: `turn:${turn.id}`,
				reason: ended.error?.message ?? "nobody can tell how far the agent got with it",
			});
		}
	}

	#doubtServers({ record, receipt }: Climb): void {
		const names = record.sessionInit?.mcpServers.map(({ name }) => name) ?? [];
		if (names.length === 0) return;
		const reason = `${names.join(", ")}: asked for again; agents do not tell whether they started: unverified`;
		receipt.missing.push({ what: "mcp_servers", reason });
	}
}

function canClose(capabilities: SessionRecord["agentCapabilities"]): boolean {
	return isObject(capabilities?.sessionCapabilities) && Boolean(capabilities.sessionCapabilities.close);
}

/** Lines that are no JSON objects belong to no session. */
function parseLine(data: string): Envelope | undefined {
	try {
		return parseEnvelope(data);
	} catch {
		return undefined;
	}
}

/** Why an agent refused; some say it beside the message only. */
function reasonOf(error: unknown): string {
	if (!(error instanceof Error)) return String(error);
	if (!(error instanceof AcpRpcError)) return error.message;
	const said = isObject(error.data) ? error.data.details : error.data;
	return typeof said === "string" ? `${error.message} (${said})` : error.message;
}

function note(receipt: ResumeReceipt, rung: ResumeRung, reason: string): void {
	const known = receipt.tried.find((tried) => tried.rung === rung);
	if (known) known.reason = reason;
	else receipt.tried.push({ rung, reason });
}

function refused({ state, receipt }: Climb, allowed: ReadonlySet<ResumeRung>): SandboxAgentError {
	const ways = receipt.tried.map(({ rung, reason }) => `${rung} (${reason})`).join(", ");
	const detail = `session '${state.id}' can be restored by none of ${[...allowed].join(", ") || "the live session"}; tried: ${ways}`;
	return new SandboxAgentError("resume_refused", detail, {
		details: { sessionId: state.id, details: { tried: receipt.tried } },
	});
}
