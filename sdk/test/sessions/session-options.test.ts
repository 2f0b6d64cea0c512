import type { SessionConfigOption } from "sandbox-agent";
import { describe, expect, it } from "vitest";
import {
	allowedValues,
	categoriesOf,
	choicesAfterRequest,
	choicesAfterUpdate,
	choicesFromReply,
	modesOf,
} from "../../src/sessions/session-options.ts";

const model: SessionConfigOption = {
	id: "m",
	name: "Model",
	category: "model",
	type: "select",
	currentValue: "a",
	options: [{ group: "g", name: "Group", options: [{ value: "a", name: "A" }] }],
};
const mode: SessionConfigOption = {
	id: "mode",
	name: "Mode",
	category: "mode",
	type: "select",
	currentValue: "ask",
	options: [
		{ value: "ask", name: "Ask" },
		{ value: "auto", name: "Auto", description: "does it" },
	],
};

describe("the choices of a session", () => {
	it("allow the values of flat and grouped lists", () => {
		expect(allowedValues(model)).toEqual(["a"]);
		expect(allowedValues(mode)).toEqual(["ask", "auto"]);
		expect(allowedValues({ id: "b", name: "B", type: "boolean", currentValue: true })).toEqual([]);
		expect(categoriesOf([model, mode, model])).toEqual(["model", "mode"]);
	});

	it("have modes of their own, or those of the option that stands for them", () => {
		expect(modesOf({})).toBeNull();
		expect(modesOf({ configOptions: [model, mode] })).toEqual({
			currentModeId: "ask",
			availableModes: [
				{ id: "ask", name: "Ask", description: null },
				{ id: "auto", name: "Auto", description: "does it" },
			],
		});
	});

	it("follow the agent's updates", () => {
		const before = { configOptions: [mode], modes: { currentModeId: "ask", availableModes: [] } };
		expect(choicesAfterUpdate(before, { sessionUpdate: "current_mode_update", currentModeId: "auto" })).toMatchObject({
			modes: { currentModeId: "auto" },
			configOptions: [{ currentValue: "auto" }],
		});
		expect(choicesAfterUpdate(before, { sessionUpdate: "config_option_update", configOptions: [model] })).toMatchObject(
			{
				configOptions: [{ id: "m" }],
			},
		);
		expect(choicesAfterUpdate(before, { sessionUpdate: "something_new" })).toBeUndefined();
	});

	it("follow accepted requests, by the reply or else by what was asked", () => {
		const set = (result: unknown) =>
			choicesAfterRequest(
				{ configOptions: [mode] },
				"session/set_config_option",
				{ configId: "mode", value: "auto" },
				result,
			);
		expect(set({})).toMatchObject({ configOptions: [{ id: "mode", currentValue: "auto" }] });
		expect(set({ configOptions: [model] })).toMatchObject({ configOptions: [{ id: "m" }] });
		expect(choicesAfterRequest({}, "session/prompt", {}, {})).toBeUndefined();
	});

	it("are taken from a reply as far as it has them", () => {
		expect(choicesFromReply({ sessionId: "x" })).toEqual({});
		expect(choicesFromReply(null)).toEqual({});
		expect(choicesFromReply({ configOptions: "nonsense", modes: 3 })).toEqual({});
	});
});
