import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import Docker from "dockerode";
import { SandboxAgent } from "sandbox-agent";
import { docker } from "sandbox-agent/docker";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { installRealAgent } from "../agent-runtime/test/agents/support/real-agent.ts";
import { type ScriptedModel, startScriptedModel } from "./scripted-model/server.ts";
import { availabilityOf } from "./services/availability.ts";
import { AGENT_BINDS, addressOfThisMachine, claudeEnvironment } from "./services/docker-agents.ts";

const service = availabilityOf("docker");
const meta = service.reason === undefined ? {} : { skipReason: service.reason };
const image = process.env.SANDBOX_AGENT_TEST_IMAGE ?? "";
const START = fileURLToPath(new URL("../examples/start/start.ts", import.meta.url));

/** The real Claude Code in a real container that reaches this machine and nothing else; only its model is scripted. */
describe.skipIf(!service.available)("Claude Code in a container", { meta }, () => {
	let model: ScriptedModel;
	let environment: Record<string, string>;

	beforeAll(async () => {
		await installRealAgent("claude");
		model = await startScriptedModel({ host: await addressOfThisMachine() });
		environment = claudeEnvironment(model.url);
	});

	afterAll(async () => {
		await model?.close();
	});

	it("asks before it runs a command, and what it made is in the container", async () => {
		const client = await SandboxAgent.start({ sandbox: docker({ image, binds: AGENT_BINDS }), env: environment });
		try {
			const session = await client.createSession({ agent: "claude" });
			const asked: string[] = [];
			session.onPermissionRequest(async (request) => {
				asked.push(request.toolCall.title ?? "");
				await session.respondPermission(request.id, "once");
			});
			const reply = await session.prompt([{ type: "text", text: "RUN:touch /home/sandbox/made-by-claude" }]);
			expect(reply.stopReason).toBe("end_turn");
			expect(asked).toHaveLength(1);
			expect(asked[0]).toContain("touch");
			const id = client.sandboxId?.replace("docker/", "") ?? "";
			expect(await run(id, "ls /home/sandbox")).toContain("made-by-claude");
			expect(model.requests.some(({ key }) => key === "scripted-key")).toBe(true);
		} finally {
			await client.killSandbox();
		}
	});

	it("does the same through npm start, for a person to watch", async () => {
		const directory = mkdtempSync(join(tmpdir(), "sandbox-agent-claude-"));
		try {
			const words = ["RUN:touch made-by-claude", "--agent", "claude", "--provider", "docker", "--permissions", "allow"];
			const mounts = [...AGENT_BINDS, `${directory}:/work`].flatMap((mount) => ["--mount", mount]);
			const place = ["--image", image, "--cwd", "/work", ...mounts];
			const child = spawn(process.execPath, [START, ...words, ...place], { env: { ...process.env, ...environment } });
			const [output, errors, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]);
			expect(`${code} ${errors}`).toBe("0 ");
			expect(output).toContain("touch made-by-claude");
			expect(output).toContain("end_turn");
			expect(existsSync(join(directory, "made-by-claude"))).toBe(true);
			expect(output).not.toContain("scripted-key");
		} finally {
			rmSync(directory, { recursive: true, force: true });
		}
	});
});

async function run(id: string, command: string): Promise<string> {
	const exec = await new Docker().getContainer(id).exec({ Cmd: ["sh", "-c", command], AttachStdout: true, Tty: true });
	return await text(await exec.start({ Tty: true }));
}
