import type { AgentConfigOption } from "@sandbox-agent/core/api";

/** The categories of options that agents have in common; an option's id is its category. */
export type ConfigCategory = "model" | "mode" | "thought_level";

const NAMES: Record<ConfigCategory, string> = { model: "Model", mode: "Mode", thought_level: "Thought Level" };

/**
 * A choice with its values in the order in which they are listed.
 *
 * @param values Either value -> name, or values that are their own names.
 */
export function selectOption(
	category: ConfigCategory,
	currentValue: string,
	values: Readonly<Record<string, string>> | readonly string[],
): AgentConfigOption {
	const options = isList(values)
		? values.map((value) => ({ value, name: value }))
		: Object.entries(values).map(([value, name]) => ({ value, name }));
	return { id: category, name: NAMES[category], category, type: "select", currentValue, options };
}

function isList(values: Readonly<Record<string, string>> | readonly string[]): values is readonly string[] {
	return Array.isArray(values);
}
