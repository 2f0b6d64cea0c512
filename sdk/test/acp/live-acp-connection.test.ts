import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, it } from "vitest";
import { isResendable } from "../../src/acp/delivery.ts";
import { LiveAcpConnection } from "../../src/acp/live-acp-connection.ts";
import { ServerLink } from "../../src/http/server-link.ts";
import { addressTarget } from "../../src/link-target.ts";

/** A server that accepts messages until it is told that the agent is gone; its log says nothing. */
async function setUp() {
	let isGone = false;
	const server = createServer((request, response) => {
		response.setHeader("sandbox-agent-api", "1");
		if (request.method === "GET") {
			response.writeHead(200, { "content-type": "text/event-stream" }).write(": hello\n\n");
			return;
		}
		request.resume();
		if (!isGone || request.method === "DELETE") {
			response.writeHead(request.method === "DELETE" ? 204 : 202).end();
			return;
		}
		const problem = {
			type: "urn:sandbox-agent:error:agent_process_exited",
			title: "Agent Process Exited",
			status: 500,
		};
		response.writeHead(500, { "content-type": "application/problem+json" }).end(JSON.stringify(problem));
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
	const report = () => undefined;
	const link = new ServerLink({ target: addressTarget(url, { mayUseLocalToken: false }), connected: true, report });
	let requests = 0;
	const connection = new LiveAcpConnection({
		agent: "mock",
		connectionId: "c",
		link,
		handler: {
			onOutgoing: () => undefined,
			onIncoming: (_connection, _reply, _eventId, pending) => pending?.settle({ result: undefined }),
			onEnd: () => undefined,
			onDegraded: () => undefined,
		},
		nextRequestId: () => `r${++requests}`,
		report,
	});
	return {
		connection,
		loseAgent: () => {
			isGone = true;
		},
		[Symbol.asyncDispose]: async () => {
			link.dispose();
			server.closeAllConnections();
			await new Promise((resolve) => server.close(resolve));
		},
	};
}

it("of two messages on a connection that dies only the one that was refused may be sent again [sdk-turn-once]", async () => {
	await using at = await setUp();
	let accept: () => void = () => undefined;
	const accepted = new Promise<void>((resolve) => {
		accept = resolve;
	});
	const first = at.connection.request("session/prompt", {}, { onAccepted: accept, willRetry: true });
	const failure = first.then(
		() => undefined,
		(error: unknown) => error,
	);
	await accepted;
	at.loseAgent();
	const refusal = await at.connection
		.request("session/prompt", {}, { willRetry: true })
		.catch((error: unknown) => error);
	expect(isResendable(refusal)).toBe(true);
	expect(await failure).toMatchObject({ code: "agent_process_exited" });
	expect(isResendable(await failure)).toBe(false);
});
