import type { Command } from "commander";

/** `mock-agent-process`: the mock agent as a process of its own, which can be killed like any other agent. */
export function define(command: Command): void {
	command.action(async () => {
		const { runMockAgentProcess } = await import("../agents/mock/process.ts");
		await runMockAgentProcess(process.stdin, process.stdout);
	});
}
