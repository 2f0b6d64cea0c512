import type { SessionConfigOption, SessionModeState, SessionRecord } from "@sandbox-agent/core/session";
import { isObject, type Params } from "../acp/envelope.ts";
import { UnsupportedSessionValueError } from "../errors/index.ts";

/** Categories of options that have methods of their own. */
export const CATEGORY = { model: "model", mode: "mode", thoughtLevel: "thought_level" } as const;

/** What a record says about the choices of its session. */
export type Choices = Pick<SessionRecord, "configOptions" | "modes">;

/** Values an option allows; empty when it does not say, which means that anything goes. */
export function allowedValues(option: SessionConfigOption): string[] {
	if (option.type !== "select" || !Array.isArray(option.options)) return [];
	return option.options.flatMap((entry) =>
		"options" in entry ? entry.options.map((choice) => choice.value) : [entry.value],
	);
}

export function findByCategory(
	options: readonly SessionConfigOption[],
	category: string,
): SessionConfigOption | undefined {
	return options.find((option) => option.category === category);
}

/** Categories that occur, each once. */
export function categoriesOf(options: readonly SessionConfigOption[]): string[] {
	return [...new Set(options.flatMap((option) => (option.category ? [option.category] : [])))];
}

/** @throws UnsupportedSessionValueError */
export function assertAllowed(sessionId: string, option: SessionConfigOption, value: string): void {
	const allowed = allowedValues(option);
	if (allowed.length === 0 || allowed.includes(value)) return;
	throw new UnsupportedSessionValueError(sessionId, option.category ?? option.id, option.id, value, allowed);
}

/** The modes as the agent announced them, else as its option of category `mode` has them, else `null`. */
export function modesOf(choices: Choices): SessionModeState | null {
	if (choices.modes) return choices.modes;
	const option = findByCategory(choices.configOptions ?? [], CATEGORY.mode);
	if (option?.type !== "select") return null;
	const availableModes = option.options.flatMap((entry) =>
		("options" in entry ? entry.options : [entry]).map(({ value, name, description }) => ({
			id: value,
			name,
			description: description ?? null,
		})),
	);
	return { currentModeId: option.currentValue, availableModes };
}

/** The choices in the reply to `session/new` and its relatives. Missing ones are left out. */
export function choicesFromReply(result: unknown): Choices {
	if (!isObject(result)) return {};
	return {
		...(isConfigOptions(result.configOptions) ? { configOptions: result.configOptions } : {}),
		...(isModeState(result.modes) ? { modes: result.modes } : {}),
	};
}

/** Whether an update of the agent may change the choices. */
export function isChoiceUpdate(update: unknown): boolean {
	if (!isObject(update)) return false;
	return update.sessionUpdate === "config_option_update" || update.sessionUpdate === "current_mode_update";
}

/** The choices after an update of the agent; `undefined` when it changes none. */
export function choicesAfterUpdate(choices: Choices, update: unknown): Choices | undefined {
	if (!isObject(update)) return undefined;
	if (update.sessionUpdate === "config_option_update" && isConfigOptions(update.configOptions)) {
		return { ...choices, configOptions: update.configOptions };
	}
	if (update.sessionUpdate === "current_mode_update" && typeof update.currentModeId === "string") {
		return withMode(choices, update.currentModeId);
	}
	return undefined;
}

/** The choices after the agent accepted one of the requests that set them; `undefined` for other requests. */
export function choicesAfterRequest(
	choices: Choices,
	method: string,
	params: Params,
	result: unknown,
): Choices | undefined {
	if (method === "session/set_mode" && typeof params.modeId === "string") return withMode(choices, params.modeId);
	if (method !== "session/set_config_option") return undefined;
	const replied = choicesFromReply(result);
	if (replied.configOptions) return { ...choices, configOptions: replied.configOptions };
	const configOptions = (choices.configOptions ?? []).map((option) =>
		option.id === params.configId ? withValue(option, params.value) : option,
	);
	return { ...choices, configOptions };
}

function withMode(choices: Choices, modeId: string): Choices {
	const modes = modesOf(choices);
	const configOptions = choices.configOptions?.map((option) =>
		option.category === CATEGORY.mode ? withValue(option, modeId) : option,
	);
	return {
		...choices,
		...(configOptions ? { configOptions } : {}),
		modes: modes ? { ...modes, currentModeId: modeId } : { currentModeId: modeId, availableModes: [] },
	};
}

function withValue(option: SessionConfigOption, value: unknown): SessionConfigOption {
	if (option.type === "select" && typeof value === "string") return { ...option, currentValue: value };
	if (option.type === "boolean" && typeof value === "boolean") return { ...option, currentValue: value };
	return option;
}

// The members of options and modes are the agent's business: they are handed on, not checked.
function isConfigOptions(value: unknown): value is SessionConfigOption[] {
	return Array.isArray(value) && value.every((entry) => isObject(entry) && typeof entry.id === "string");
}

function isModeState(value: unknown): value is SessionModeState {
	return isObject(value) && typeof value.currentModeId === "string" && Array.isArray(value.availableModes);
}
