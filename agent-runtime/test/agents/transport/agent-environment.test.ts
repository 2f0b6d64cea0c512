import { describe, expect, it } from "vitest";
import { agentEnvironment } from "../../../src/agents/transport/agent-environment.ts";

describe("agentEnvironment", () => {
	it("passes the server's environment on, without anything that leads to its token", () => {
		const environment = agentEnvironment({
			server: {
				PATH: "/bin",
				ANTHROPIC_API_KEY: "key",
				SANDBOX_AGENT_TOKEN: "secret",
				SANDBOX_AGENT_TOKEN_FILE: "/secret",
				UNSET: undefined,
			},
			serverProgram: "/opt/sandbox-agent",
		});
		expect(environment).toEqual({ PATH: "/bin", ANTHROPIC_API_KEY: "key", SANDBOX_AGENT_BIN: "/opt/sandbox-agent" });
	});

	it("lets the agent's own variables win, but not over SANDBOX_AGENT_BIN", () => {
		const environment = agentEnvironment({
			server: { MODE: "server" },
			serverProgram: "/opt/sandbox-agent",
			extra: { MODE: "agent", SANDBOX_AGENT_BIN: "/elsewhere", SANDBOX_AGENT_TOKEN: "secret" },
		});
		expect(environment).toEqual({ MODE: "agent", SANDBOX_AGENT_BIN: "/opt/sandbox-agent" });
	});
});
