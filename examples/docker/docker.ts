/**
 * A sandbox in a Docker container: the agent's files stay in it, another process can continue by its id, and it is gone
 * when it is destroyed. Needs a Docker daemon; `DOCKER_HOST` is honoured.
 */
import assert from "node:assert/strict";
import { text } from "node:stream/consumers";
import Docker from "dockerode";
import { SandboxAgent } from "sandbox-agent";
import { docker } from "sandbox-agent/docker";

// Any image with Node 20 or newer; without one the provider uses a public Node image.
const sandbox = docker({ image: process.env.SANDBOX_AGENT_TEST_IMAGE });
const sdk = await SandboxAgent.start({ sandbox, onProgress: ({ message }) => console.log(message) });
try {
	const session = await sdk.createSession({ agent: "mock" });
	session.onPermissionRequest((request) => session.respondPermission(request.id, "once"));
	const { stopReason } = await session.prompt("write hello.txt Hello from the container");
	assert.equal(stopReason, "end_turn");
	assert.equal((await readInContainer(sdk.sandboxId, "hello.txt")).trim(), "Hello from the container");

	// Another process, or this one later: the id is enough.
	const later = await SandboxAgent.start({ sandbox, sandboxId: sdk.sandboxId });
	assert.deepEqual(await later.getHealth(), { status: "ok" });
	await later.dispose();
} finally {
	await sdk.destroySandbox();
}
console.log("docker: ok");

/** Reads a file beside the agent, through the engine itself. */
async function readInContainer(sandboxId: string | undefined, name: string): Promise<string> {
	const container = new Docker().getContainer(sandboxId?.replace("docker/", "") ?? "");
	const exec = await container.exec({
		Cmd: ["sh", "-c", 'find / -xdev -name "$0" -exec cat {} +', name],
		AttachStdout: true,
		Tty: true,
	});
	return await text(await exec.start({ Tty: true }));
}
