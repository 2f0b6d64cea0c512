import type { AgentListResponse } from "@sandbox-agent/core/api";

/** One kind of choice an agent offers. */
interface Choice {
	readonly currentValue: string | null;
	readonly values: readonly { readonly value: string; readonly name: string }[];
}

/** What `api agents report` prints. */
export interface AgentReport {
	readonly generatedAtMs: number;
	readonly endpoint: string;
	readonly agents: readonly {
		readonly id: string;
		readonly installed: boolean;
		readonly models: Choice;
		readonly modes: Choice;
		readonly thoughtLevels: Choice;
	}[];
}

/** The choices of all agents, sorted by value without regard to case. */
export function toAgentReport(list: AgentListResponse, endpoint: URL, nowMs: number): AgentReport {
	return {
		generatedAtMs: nowMs,
		endpoint: endpoint.origin,
		agents: list.agents.map(({ id, installed, configOptions = [] }) => {
			const choice = (category: string): Choice => {
				const option = configOptions.find((candidate) => candidate.category === category);
				const values = (option?.options ?? []).map(({ value, name }) => ({ value, name }));
				return { currentValue: option?.currentValue ?? null, values: values.sort(byValue) };
			};
			return { id, installed, models: choice("model"), modes: choice("mode"), thoughtLevels: choice("thought_level") };
		}),
	};
}

function byValue(one: { value: string }, other: { value: string }): number {
	const [left, right] = [one.value.toLowerCase(), other.value.toLowerCase()];
	return left < right ? -1 : left > right ? 1 : 0;
}
