import { type AcpStateResponse, ROUTES } from "@sandbox-agent/core/api";
import { SandboxAgentError } from "@sandbox-agent/core/errors";
import { requestPath } from "../http/client.ts";
import { decodeError } from "../http/decode-error.ts";
import { sendPromptly } from "../http/send-promptly.ts";
import type { ServerLink } from "../http/server-link.ts";

/** How often the server is asked when no answer comes. */
const TRIES = 5;

/**
 * Asks the server where a connection stands, and what became of one of its messages. Asked again when no answer comes.
 *
 * @param options.key key of the message
 * @returns `undefined` when the server does not know the connection, or the question: servers of other makers do not
 * @throws connection_lost and what the server says
 */
export async function askState(
	link: ServerLink,
	connectionId: string,
	{ key, signal }: { key?: string | undefined; signal?: AbortSignal | undefined } = {},
): Promise<AcpStateResponse | undefined> {
	await link.ready(signal);
	const path = requestPath(ROUTES.getAcpState.path, {
		params: { server_id: connectionId },
		query: key === undefined ? {} : { key },
	});
	for (let attempt = 1; ; attempt++) {
		try {
			const response = await sendPromptly(link, path, { method: "GET", signal });
			// The server built the body from the same table.
			if (response.ok) return (await response.json()) as AcpStateResponse;
			throw (await decodeError(response, link.isKeyed)).error;
		} catch (error) {
			if (!SandboxAgentError.isInstance(error)) throw error;
			if (error.status === 404) return undefined;
			if (error.code !== "connection_lost" || attempt >= TRIES) throw error;
			await link.recover(error.detail, signal);
		}
	}
}
