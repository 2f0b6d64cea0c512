import { SandboxAgent as PublishedClient } from "published-client";
import { SandboxAgent } from "sandbox-agent";
import { describe, expect, it } from "vitest";
import { startRuntime } from "../support/runtime.ts";

/** Longer than the 300 seconds after which the platform's fetch gives up on an answer that has not begun. */
const TURN_MS = 330_000;
const LIMIT_MS = TURN_MS + 60_000;

/** These wait in real time; they cost next to nothing while they do, and run beside everything else. */
describe.concurrent("a turn of 330 seconds", () => {
	const prompt = [{ type: "text" as const, text: `slow ${TURN_MS}` }];

	it("ends well for the published 0.4.2 client [acp/prompt-never-times-out]", { timeout: LIMIT_MS }, async () => {
		await using runtime = await startRuntime();
		const client = await PublishedClient.connect({ baseUrl: runtime.url, token: runtime.token });
		const session = await client.createSession({ agent: "mock" });
		const reply = await session.prompt(prompt);
		expect(reply.stopReason).toBe("end_turn");
		await client.dispose();
	});

	it("ends well for our client [sdk/long-prompt]", { timeout: LIMIT_MS }, async () => {
		await using runtime = await startRuntime();
		await using client = await SandboxAgent.connect({ baseUrl: runtime.url, token: runtime.token });
		const session = await client.createSession({ agent: "mock" });
		const reply = await session.prompt(prompt);
		expect(reply.stopReason).toBe("end_turn");
	});
});
