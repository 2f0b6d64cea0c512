import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach } from "vitest";
import { connectMockAgent, type MockInProcessOptions } from "../../../src/agents/mock/in-process.ts";
import { TestClient, type TestClientOptions } from "./acp-client.ts";

/** What a test of the mock agent works with; everything is gone after the test. */
export interface MockAgentLab {
	/** Working directory of the sessions. */
	readonly directory: string;
	/** An initialized client of a new mock agent. */
	connect(options?: TestClientOptions, mock?: MockInProcessOptions): Promise<TestClient>;
	/** The same, with one session. */
	open(options?: TestClientOptions, mock?: MockInProcessOptions): Promise<{ client: TestClient; sessionId: string }>;
	/** Closes a client of the test's own after the test. */
	track(client: TestClient): TestClient;
}

/** Gives every test of a file a directory and mock agents. */
export function useMockAgent(): MockAgentLab {
	let directory = "";
	const clients: TestClient[] = [];
	beforeEach(() => {
		directory = mkdtempSync(join(tmpdir(), "mock-agent-test-"));
	});
	afterEach(async () => {
		await Promise.all(clients.splice(0).map((client) => client.close()));
		rmSync(directory, { recursive: true, force: true });
	});
	const track = (client: TestClient) => {
		clients.push(client);
		return client;
	};
	const connect = async (options: TestClientOptions = {}, mock: MockInProcessOptions = {}) => {
		const client = track(new TestClient(connectMockAgent(mock), options));
		await client.initialize();
		return client;
	};
	return {
		get directory() {
			return directory;
		},
		connect,
		async open(options = {}, mock = {}) {
			const client = await connect(options, mock);
			const { sessionId } = await client.newSession(directory);
			return { client, sessionId };
		},
		track,
	};
}
