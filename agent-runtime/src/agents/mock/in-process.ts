import type { AnyMessage } from "@agentclientprotocol/sdk";
import type { Clock } from "@sandbox-agent/core/util";
import type { AgentTransport } from "../transport/agent-transport.ts";
import { InProcessTransport } from "../transport/in-process-transport.ts";
import { serveMockAgent } from "./agent.ts";
import type { MockSessionStore } from "./session-store.ts";

/** What the mock agent inside this process shares with others. */
export interface MockInProcessOptions {
	/** Sessions that outlive the connection. @default those of this connection alone */
	readonly store?: MockSessionStore | undefined;
	readonly clock?: Clock | undefined;
}

/** Starts a mock agent inside this process. */
export function connectMockAgent(options: MockInProcessOptions = {}): AgentTransport {
	return new InProcessTransport(async ({ readable, writable, exit }) => {
		// The server hands on JSON objects only; what is not a JSON-RPC message the library answers with an error.
		const stream = {
			readable: readable as ReadableStream<AnyMessage>,
			writable: writable as WritableStream<AnyMessage>,
		};
		await serveMockAgent(stream, { ...options, exit });
	});
}
