import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, it } from "vitest";
import { isResendable } from "../../src/acp/delivery.ts";
import { LiveAcpConnection } from "../../src/acp/live-acp-connection.ts";
import { ServerLink } from "../../src/http/server-link.ts";
import { addressTarget } from "../../src/link-target.ts";

/** What a server does with a message: takes it, takes it without a word, or says what is wrong. */
type Reaction = "accept" | "lose-answer" | "agent_process_exited" | "invalid_request";

/** A server that does with messages as it is told, one after another and then as with the last; its log says nothing. */
async function setUp() {
	let reactions: Reaction[] = ["accept"];
	const server = createServer((request, response) => {
		response.setHeader("sandbox-agent-api", "1");
		if (request.url === "/v1/health") {
			response.setHeader("content-type", "application/json");
			response.end('{"status":"ok"}');
			return;
		}
		if (request.method === "GET") {
			response.writeHead(200, { "content-type": "text/event-stream" }).write(": hello\n\n");
			return;
		}
		request.resume();
		const isPost = request.method === "POST";
		const reaction = (reactions.length > 1 ? reactions.shift() : reactions[0]) ?? "accept";
		if (!isPost || reaction === "accept") {
			response.writeHead(isPost ? 202 : 204).end();
		} else if (reaction === "lose-answer") {
			response.destroy();
		} else {
			const problem = { type: `urn:sandbox-agent:error:${reaction}`, title: reaction, status: 400 };
			response.writeHead(400, { "content-type": "application/problem+json" }).end(JSON.stringify(problem));
		}
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
		react: (...next: Reaction[]) => {
			reactions = next;
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
	at.react("agent_process_exited");
	const refusal = await at.connection
		.request("session/prompt", {}, { willRetry: true })
		.catch((error: unknown) => error);
	expect(isResendable(refusal)).toBe(true);
	expect(await failure).toMatchObject({ code: "agent_process_exited" });
	expect(isResendable(await failure)).toBe(false);
});

it("a message that may have been accepted by a connection which is forgotten now is not sent again [sdk-turn-once]", async () => {
	await using at = await setUp();
	await at.connection.notify("first", {});
	at.react("lose-answer", "invalid_request");
	const failure = await at.connection
		.request("session/prompt", {}, { willRetry: true })
		.catch((error: unknown) => error);
	expect(failure).toMatchObject({ code: "outcome_unknown" });
	expect(isResendable(failure)).toBe(false);
});

it("a message that a forgotten connection never got may be sent again [sdk-keyed-retry]", async () => {
	await using at = await setUp();
	await at.connection.notify("first", {});
	at.react("invalid_request");
	const failure = await at.connection
		.request("session/prompt", {}, { willRetry: true })
		.catch((error: unknown) => error);
	expect(failure).toMatchObject({ code: "session_not_found" });
	expect(isResendable(failure)).toBe(true);
});
