import Docker from "dockerode";
import { SandboxAgent, SandboxDestroyedError } from "sandbox-agent";
import { docker } from "sandbox-agent/docker";
import { afterEach, describe, expect, it } from "vitest";
import { until } from "../core/test/lifecycle/support/until.ts";
import { availabilityOf } from "./services/availability.ts";

const service = availabilityOf("docker");
const meta = service.reason === undefined ? {} : { skipReason: service.reason };
const image = process.env.SANDBOX_AGENT_TEST_IMAGE;

let client: SandboxAgent | undefined;
afterEach(async () => {
	// What a test has destroyed itself is not attached any more.
	if (client?.sandboxId) await client.killSandbox();
});

async function start(): Promise<{ client: SandboxAgent; container: Docker.Container; statuses: string[] }> {
	const statuses: string[] = [];
	client = await SandboxAgent.start({
		sandbox: docker({ image }),
		onStatus: ({ status }) => statuses.push(status),
		recovery: { answerMs: 1_000 },
	});
	const id = client.sandboxId?.replace("docker/", "") ?? "";
	return { client, container: new Docker().getContainer(id), statuses };
}

const text = (words: string) => [{ type: "text" as const, text: words }];

describe.skipIf(!service.available)("a client of a container", { meta }, () => {
	it("goes on with its session after the container was killed, stopped and paused [docker/ensure-server]", async () => {
		const { client, container, statuses } = await start();
		const session = await client.createSession({ agent: "mock" });
		expect(await session.prompt(text("one"))).toMatchObject({ stopReason: "end_turn" });
		await container.kill();
		expect(await session.prompt(text("two"))).toMatchObject({ stopReason: "end_turn" });
		await container.stop({ t: 5 });
		expect(await session.prompt(text("three"))).toMatchObject({ stopReason: "end_turn" });
		await container.pause();
		expect(await session.prompt(text("four"))).toMatchObject({ stopReason: "end_turn" });
		expect(statuses).toContain("recovering");
		await until("the client is connected", () => statuses.at(-1) === "connected");
	});

	it("says that its sandbox is gone", async () => {
		const { client, container } = await start();
		const session = await client.createSession({ agent: "mock" });
		await container.remove({ force: true });
		await expect(session.prompt(text("hello"))).rejects.toBeInstanceOf(SandboxDestroyedError);
	});
});
