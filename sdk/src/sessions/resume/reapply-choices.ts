import type { SessionConfigOption, SessionRecord } from "@sandbox-agent/core/session";
import type { ErrorReporter } from "../../listeners.ts";
import { allowedValues, CATEGORY, type Choices, findByCategory, modesOf } from "../session-options.ts";
import type { SessionBinding, SessionState } from "../session-state.ts";
import type { ResumeReceipt } from "./receipt.ts";

/** The names of choices that have some of their own. */
const NAMES: Record<string, string> = {
	[CATEGORY.model]: "model",
	[CATEGORY.mode]: "mode",
	[CATEGORY.thoughtLevel]: "thought_level",
};

/**
 * Sets what was chosen before and is not so in the agent's session, and reads back what it is then. What the agent
 * refuses, or does not tell, is missing in the receipt.
 *
 * @param wanted the choices of the session before it was restored
 */
export async function reapplyChoices(
	state: SessionState,
	binding: SessionBinding,
	wanted: Choices,
	receipt: Pick<ResumeReceipt, "restored" | "missing">,
	report: ErrorReporter,
): Promise<void> {
	const context = { state, binding, receipt, report };
	const options = wanted.configOptions ?? [];
	// The model comes first: which thought levels there are may depend on it.
	const model = findByCategory(options, CATEGORY.model);
	if (model) await reapplyOption(context, model);
	await reapplyMode(context, wanted);
	for (const option of options) {
		if (option !== model && option.category !== CATEGORY.mode) await reapplyOption(context, option);
	}
}

interface Context {
	readonly state: SessionState;
	readonly binding: SessionBinding;
	readonly receipt: Pick<ResumeReceipt, "restored" | "missing">;
	readonly report: ErrorReporter;
}

async function reapplyMode(context: Context, wanted: Choices): Promise<void> {
	const mode = modesOf(wanted)?.currentModeId;
	if (mode === undefined) return;
	const { state } = context;
	const before = modesOf(state.record ?? {});
	if (before?.currentModeId === mode) {
		context.receipt.restored.push("mode");
		return;
	}
	const offered = before?.availableModes.map(({ id }) => id) ?? [];
	if (offered.length > 0 && !offered.includes(mode)) {
		miss(context, "mode", `the agent does not offer '${mode}' any more`);
		return;
	}
	const option = findByCategory(state.record?.configOptions ?? [], CATEGORY.mode);
	// Agents with modes have a method for them; the others have an option that stands for it.
	const done =
		state.record?.modes || !option
			? await send(context, "session/set_mode", { modeId: mode })
			: await send(context, "session/set_config_option", { configId: option.id, value: mode });
	confirm(context, "mode", mode, done, () => modesOf(state.record ?? {})?.currentModeId);
}

async function reapplyOption(context: Context, wanted: SessionConfigOption): Promise<void> {
	const { state, receipt } = context;
	const name = NAMES[wanted.category ?? ""] ?? `option:${wanted.id}`;
	const current = () => optionOf(state.record, wanted.id);
	const option = current();
	const value = wanted.currentValue;
	if (!option) {
		miss(context, name, "the agent does not offer this choice any more");
		return;
	}
	if (option.currentValue === value) {
		receipt.restored.push(name);
		return;
	}
	const allowed = allowedValues(option);
	if (typeof value === "string" && allowed.length > 0 && !allowed.includes(value)) {
		miss(context, name, `the agent does not offer '${value}' any more`);
		return;
	}
	const type = typeof value === "boolean" ? { type: "boolean" } : {};
	const done = await send(context, "session/set_config_option", { configId: option.id, ...type, value });
	confirm(context, name, value, done, () => current()?.currentValue);
}

/** Whether the agent took it. */
async function send(
	{ state, binding, report }: Context,
	method: string,
	params: { [member: string]: unknown },
): Promise<boolean> {
	const { connection, agentSessionId } = binding;
	try {
		await connection.request(method, { sessionId: agentSessionId, ...params }, { owner: state, order: agentSessionId });
		return true;
	} catch (error) {
		if (connection.isEnded) throw error;
		report(error, `restoring a choice of session '${state.id}'`);
		return false;
	}
}

function confirm<Value>(
	context: Context,
	name: string,
	wanted: Value,
	done: boolean,
	read: () => Value | undefined,
): void {
	if (!done) miss(context, name, `the agent refused '${wanted}'`);
	else if (read() === wanted) context.receipt.restored.push(name);
	else miss(context, name, `the agent was told '${wanted}' but does not show it: unverified`);
}

function miss({ receipt }: Context, what: string, reason: string): void {
	receipt.missing.push({ what, reason });
}

function optionOf(record: SessionRecord | undefined, id: string): SessionConfigOption | undefined {
	return record?.configOptions?.find((option) => option.id === id);
}
