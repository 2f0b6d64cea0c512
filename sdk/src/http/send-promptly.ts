import { SandboxAgentError } from "@sandbox-agent/core/errors";
import type { LinkRequest, ServerLink } from "./server-link.ts";

/** Slowest upload that is waited for, in bytes per millisecond. */
const SLOWEST_UPLOAD = 50;

/**
 * Sends a request whose answer begins at once where there is a server at all: on a connection that died silently nothing
 * else would ever tell. What comes behind the head of the answer has no limit here.
 *
 * @throws connection_lost when there is no answer within `recovery.answerMs`, and the time its body takes
 */
export async function sendPromptly(
	link: ServerLink,
	path: string,
	request: LinkRequest & { readonly body?: string | undefined },
): Promise<Response> {
	const { method, body = "", signal } = request;
	const limit = new AbortController();
	const onSilence = () => {
		limit.abort(new SandboxAgentError("connection_lost", `${method} ${path} stayed without an answer`));
	};
	const timer = setTimeout(onSilence, link.recovery.answerMs + body.length / SLOWEST_UPLOAD);
	try {
		return await link.send(path, {
			...request,
			signal: signal ? AbortSignal.any([signal, limit.signal]) : limit.signal,
		});
	} finally {
		clearTimeout(timer);
	}
}
