import { SandboxAgent } from "sandbox-agent";
import { local } from "sandbox-agent/local";

const sdk = await SandboxAgent.start({ sandbox: local() });
const session = await sdk.createSession({ agent: "mock" }); // or "claude", with ANTHROPIC_API_KEY set
session.onPermissionRequest((request) => session.respondPermission(request.id, "once"));
for await (const update of session.stream("permission")) {
	if (update.sessionUpdate !== "agent_message_chunk" || update.content.type !== "text") continue;
	process.stdout.write(update.content.text);
}
await sdk.destroySandbox();
