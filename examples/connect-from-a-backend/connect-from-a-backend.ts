/**
 * A backend between browsers and a sandbox: it knows the server's address and token, browsers know only the backend.
 *
 * POST /prompt with a text answers with the agent's words as they come. The server it connects to is started here so that
 * the example runs alone; in production it is wherever a provider has put it.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { SandboxAgent, type Session } from "sandbox-agent";
import { local } from "sandbox-agent/local";

const token = randomBytes(24).toString("hex");
const owner = await SandboxAgent.start({ sandbox: local({ token, log: "silent" }) });
const baseUrl = new URL(owner.inspectorUrl).origin;

const sdk = await SandboxAgent.connect({ baseUrl, token });
const session = await sdk.createSession({ agent: "mock" });

const backend = createServer((request, response) => {
	answer(session, request, response).catch((error: unknown) => response.destroy(error as Error));
});
backend.listen(0, "127.0.0.1");
await once(backend, "listening");
try {
	await actAsBrowser(backend.address());
	console.log("connect-from-a-backend: ok");
} finally {
	backend.close();
	await sdk.dispose();
	await owner.destroySandbox();
}

/** Streams a turn; a browser that goes away cancels it. */
async function answer(session: Session, request: IncomingMessage, response: ServerResponse): Promise<void> {
	const gone = new AbortController();
	response.on("close", () => gone.abort());
	let prompt = "";
	for await (const chunk of request.setEncoding("utf8")) prompt += chunk;
	response.writeHead(200, { "content-type": "text/plain; charset=utf-8" });
	for await (const update of session.stream(prompt, { signal: gone.signal })) {
		if (update.sessionUpdate === "agent_message_chunk" && update.content.type === "text") {
			response.write(update.content.text);
		}
	}
	response.end();
}

async function actAsBrowser(address: ReturnType<typeof backend.address>): Promise<void> {
	assert.ok(address && typeof address === "object");
	const response = await fetch(`http://127.0.0.1:${address.port}/prompt`, { method: "POST", body: "Hello, backend!" });
	assert.equal(await response.text(), "Hello, backend!");
}
