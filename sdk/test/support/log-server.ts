import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { LogReader } from "../../src/acp/log-reader.ts";
import { ServerLink } from "../../src/http/server-link.ts";
import { addressTarget } from "../../src/link-target.ts";

export type Answer = (response: ServerResponse, request: IncomingMessage) => void;

/** A server whose streams are written by hand: the n-th request for the log gets the n-th answer, the last one again. */
export async function setUp(
	answers: Answer[],
	options: { mayAppear?: () => boolean; idleMs?: number; answerMs?: number } = {},
) {
	const requests: IncomingMessage["headers"][] = [];
	const server = createServer((request, response) => {
		if (request.url === "/v1/health") {
			response.setHeader("content-type", "application/json");
			response.end('{"status":"ok"}');
			return;
		}
		const answer = answers[Math.min(requests.length, answers.length - 1)];
		requests.push(request.headers);
		answer?.(response, request);
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	const link = new ServerLink({
		target: addressTarget(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, { mayUseLocalToken: false }),
		recovery: { firstDelayMs: 1, maxDelayMs: 5, idleMs: options.idleMs, answerMs: options.answerMs },
		report: () => undefined,
	});
	const told: string[] = [];
	const reader = new LogReader({
		link,
		path: "/v1/acp/x",
		mayAppear: options.mayAppear ?? (() => false),
		handler: {
			onLine: (data, { epoch, id }) => {
				told.push(`${epoch ?? "-"}/${id} ${data}`);
			},
			onGap: ({ from, to }) => told.push(`gap ${from}-${to}`),
			onDegraded: (reason) => {
				if (reason !== undefined) told.push(reason);
			},
			onActivity: () => undefined,
		},
	});
	return {
		link,
		requests,
		told,
		reader,
		[Symbol.asyncDispose]: async () => {
			link.dispose();
			server.closeAllConnections();
			await new Promise((resolve) => server.close(resolve));
		},
	};
}

/** A stream of events of a log, which stays open unless told otherwise. */
export function stream(epoch: string | undefined, events: string[], options: { end?: "clean" | "cut" } = {}): Answer {
	return (response) => {
		response.writeHead(200, {
			"content-type": "text/event-stream",
			...(epoch === undefined ? {} : { "sandbox-agent-log": epoch }),
		});
		response.write(`: hello\n\n${events.join("")}`, () => {
			if (options.end === "cut") response.destroy();
			else if (options.end === "clean") response.end();
		});
	};
}

/** One line as an event. */
export const line = (id: number, data = `l${id}`) => `event: message\nid: ${id}\ndata: ${data}\n\n`;
/** The server does not know the log. */
export const gone: Answer = (response) => {
	response.writeHead(404, { "content-type": "application/problem+json" });
	response.end('{"type":"urn:sandbox-agent:error:session_not_found","title":"Session Not Found","status":404}');
};
