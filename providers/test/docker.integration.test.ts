import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { LABELS, type OpenSandboxRequest, openSandbox, type RunningSandbox } from "@sandbox-agent/core/lifecycle";
import {
	defineProvider,
	getProviderSpec,
	type ProviderSpec,
	type SandboxHandle,
	type SandboxListing,
	type StartProgress,
} from "@sandbox-agent/core/provider";
import Docker from "dockerode";
import { afterEach, describe, expect, it } from "vitest";
import { until } from "../../core/test/lifecycle/support/until.ts";
import { availabilityOf } from "../../test/services/availability.ts";
import { type DockerProviderOptions, docker } from "../src/docker.ts";
import { startRegistry } from "./fixtures/image-registry.ts";
import { STAND_IN } from "./fixtures/stand-in.ts";

const service = availabilityOf("docker");
const image = process.env.SANDBOX_AGENT_TEST_IMAGE ?? "";
const withoutNode = process.env.SANDBOX_AGENT_TEST_IMAGE_WITHOUT_NODE ?? "";
const bundle = fileURLToPath(new URL("../../agent-runtime/dist/sandbox-agent.mjs", import.meta.url));
const runtime = { path: existsSync(bundle) ? bundle : STAND_IN };

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
	for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function open(
	options: DockerProviderOptions = {},
	request: Partial<OpenSandboxRequest> = {},
): Promise<RunningSandbox> {
	const sandbox = await openSandbox({ provider: docker({ image, ...options }), runtime, ...request });
	cleanups.push(() => sandbox.kill());
	return sandbox;
}

function specOf(options: DockerProviderOptions = {}): ProviderSpec {
	const spec = getProviderSpec(docker({ image, ...options }));
	if (!spec) throw new Error("docker() carries no spec");
	return spec;
}

async function sh(sandbox: RunningSandbox, command: string): Promise<string> {
	const handle = await specOf().connect(sandbox.id);
	const { stdout, stderr, exitCode } = await handle.exec(command);
	if (exitCode !== 0) throw new Error(`${command}: ${stderr}`);
	return stdout.trim();
}

async function health(sandbox: RunningSandbox): Promise<number> {
	const { url, token } = await sandbox.endpoint({ fresh: true });
	const response = await fetch(`${url}/v1/health`, { headers: { authorization: `Bearer ${token}` } });
	await response.text();
	return response.status;
}

async function containers(): Promise<SandboxListing[]> {
	const found: SandboxListing[] = [];
	for await (const listing of specOf().list?.({ [LABELS.managed]: "true" }) ?? []) found.push(listing);
	return found;
}

/** Sets DOCKER_HOST for the rest of a test. */
function useDockerHost(address: string): void {
	const before = process.env.DOCKER_HOST;
	process.env.DOCKER_HOST = address;
	cleanups.push(() => {
		if (before === undefined) delete process.env.DOCKER_HOST;
		else process.env.DOCKER_HOST = before;
	});
}

const meta = service.reason === undefined ? {} : { skipReason: service.reason };

describe.skipIf(!service.available)("docker", { meta }, () => {
	it("starts a server that answers to its own token only", async () => {
		const phases: string[] = [];
		const sandbox = await open({}, { onProgress: ({ phase }) => phases.push(phase) });
		expect([...new Set(phases)]).toEqual(["create", "upload", "launch", "health", "ready"]);
		expect(await health(sandbox)).toBe(200);
		const { url } = await sandbox.endpoint();
		for (const authorization of ["", "Bearer wrong"]) {
			expect((await fetch(`${url}/v1/health`, { headers: { authorization } })).status).toBe(401);
		}
	});

	it("publishes its port on loopback only and marks the container [docker/loopback-port]", async () => {
		const sandbox = await open();
		const info = await new Docker().getContainer(sandbox.id).inspect();
		const bindings = Object.values(info.NetworkSettings.Ports).flatMap((entries) => entries ?? []);
		expect(bindings.map(({ HostIp }) => HostIp)).toEqual(["127.0.0.1"]);
		expect(info.Config.Labels).toMatchObject({ [LABELS.managed]: "true" });
		expect(info.HostConfig).toMatchObject({ Init: true, AutoRemove: false });
		expect((await containers()).map(({ id }) => id)).toContain(sandbox.id);
	});

	it("keeps the token out of the container's configuration, processes and environment", async () => {
		const sandbox = await open({}, { env: { MODEL_KEY: "for agents" } });
		const { token = "" } = await sandbox.endpoint();
		const info = await new Docker().getContainer(sandbox.id).inspect();
		expect(token.length).toBeGreaterThan(20);
		expect(JSON.stringify(info)).not.toContain(token);
		expect(info.Config.Env).toContain("MODEL_KEY=for agents");
		expect(await sh(sandbox, "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ | tr '\\0' '\\n'")).not.toContain(token);
		expect(await sh(sandbox, "stat -c %a:%u /opt/sandbox-agent/token")).toBe("600:0");
	});

	it("is found by its id from anywhere, and so is its token", async () => {
		const sandbox = await open();
		const other = docker();
		expect(await other.getToken?.(sandbox.id)).toBe((await sandbox.endpoint()).token);
		expect(await other.getUrl?.(sandbox.id)).toBe((await sandbox.endpoint()).url);
	});

	it("comes back with its server after a pause and after a stop [docker/pause-resume]", async () => {
		const sandbox = await open();
		await sh(sandbox, "echo kept > /home/sandbox/file");
		await sandbox.pause();
		await sandbox.pause();
		expect(await specOf().status(sandbox.id)).toBe("paused");
		await sandbox.ensureServer();
		expect(await health(sandbox)).toBe(200);
		await new Docker().getContainer(sandbox.id).stop({ t: 5 });
		expect(await specOf().status(sandbox.id)).toBe("stopped");
		await sandbox.ensureServer();
		expect(await health(sandbox)).toBe(200);
		expect(await sh(sandbox, "cat /home/sandbox/file")).toBe("kept");
		const again = await open({}, { sandboxId: sandbox.id });
		expect(await health(again)).toBe(200);
	});

	it("starts a server that was killed again, with the same token [docker/ensure-server]", async () => {
		const sandbox = await open();
		const before = await sandbox.endpoint();
		await sh(sandbox, "kill -9 $(pgrep -x node)");
		await until("the container has stopped", async () => (await specOf().status(sandbox.id)) === "stopped");
		await Promise.all([sandbox.ensureServer(), sandbox.ensureServer()]);
		expect(await health(sandbox)).toBe(200);
		expect((await sandbox.endpoint()).token).toBe(before.token);
	});

	it("removes the container with destroy, also twice, and says that it is gone [docker/nothing-left]", async () => {
		const sandbox = await open();
		await sandbox.destroy();
		await sandbox.destroy();
		await docker().destroy(sandbox.id);
		expect(await specOf().status(sandbox.id)).toBe("gone");
		await expect(sandbox.ensureServer()).rejects.toMatchObject({ code: "sandbox_destroyed" });
		await expect(open({}, { sandboxId: sandbox.id })).rejects.toMatchObject({ code: "sandbox_destroyed" });
		expect(await containers()).toEqual([]);
	});

	it("merges the caller's container options with its own [docker/deep-merge]", async () => {
		const sandbox = await open({
			agentPort: 4000,
			env: async () => ["FROM_OPTION=1"],
			createContainerOptions: {
				Env: ["FROM_CONTAINER=2"],
				Labels: { team: "blue" },
				HostConfig: { Memory: 512 * 1024 * 1024, PortBindings: { "8080/tcp": [{ HostIp: "127.0.0.1" }] } },
				ExposedPorts: { "8080/tcp": {} },
			},
		});
		const info = await new Docker().getContainer(sandbox.id).inspect();
		expect(Object.keys(info.NetworkSettings.Ports).sort()).toEqual(["4000/tcp", "8080/tcp"]);
		expect(info.Config.Labels).toMatchObject({ team: "blue", [LABELS.managed]: "true" });
		expect(info.Config.Env).toEqual(expect.arrayContaining(["FROM_OPTION=1", "FROM_CONTAINER=2"]));
		expect(info.HostConfig.Memory).toBe(512 * 1024 * 1024);
		expect(await health(sandbox)).toBe(200);
	});

	it("runs as the user the container is given, who owns the token", async () => {
		for (const User of ["1234", "nobody"]) {
			const sandbox = await open({ createContainerOptions: { User } });
			expect(await health(sandbox)).toBe(200);
			const owner = await sh(sandbox, "stat -c %u /opt/sandbox-agent/token");
			expect(owner).toBe(User === "1234" ? "1234" : "65534");
		}
	});

	it("is reached in a network without published ports", async () => {
		const name = `internal-${process.pid}`;
		const network = await new Docker().createNetwork({ Name: name, Internal: true });
		cleanups.push(() => network.remove());
		const sandbox = await open({ createContainerOptions: { HostConfig: { NetworkMode: name } } });
		expect(await health(sandbox)).toBe(200);
	});

	it("runs commands, and copies files byte for byte", async () => {
		const handle = await specOf().connect((await open()).id);
		const data = new Uint8Array(1024 * 1024).map((_, index) => index % 251);
		await handle.upload([
			{ path: "/data/deep/big.bin", data },
			{ path: "/data/empty", data: new Uint8Array(), mode: 0o600 },
		]);
		const sum = await handle.exec("cksum < /data/deep/big.bin; stat -c %a:%s /data/empty");
		const reference = spawnSync("cksum", { input: data, encoding: "utf8" }).stdout;
		expect(sum.stdout).toBe(`${reference}600:0\n`);
		const stdin = new TextEncoder().encode("in");
		const result = await handle.exec('pwd; echo "$NAME"; cat >&2; exit 3', { env: { NAME: "x" }, cwd: "/data", stdin });
		expect(result).toEqual({ exitCode: 3, stdout: "/data\nx\n", stderr: "in" });
		await expect(handle.exec("sleep 60", { timeoutMs: 100 })).rejects.toThrow("100 ms");
		await handle.spawn("sleep 0.01; touch /data/spawned");
		await until("the spawned command has run", async () => {
			return (await handle.exec("test -e /data/spawned")).exitCode === 0;
		});
	});
});

describe.skipIf(!service.available)("a container without a server of its own", { meta }, () => {
	it("gets one through the shell line of the lifecycle", async () => {
		const container = await new Docker().createContainer({
			Image: image,
			Cmd: ["sleep", "infinity"],
			Labels: { [LABELS.managed]: "true" },
			HostConfig: { Init: true },
		});
		cleanups.push(() => container.remove({ force: true }));
		await container.start();
		const spec = specOf();
		const connect = async (): Promise<SandboxHandle> => {
			const handle = await spec.connect(container.id);
			return {
				id: handle.id,
				exec: (command, options) => handle.exec(command, options),
				spawn: (command, options) => handle.spawn(command, options),
				upload: (files, options) => handle.upload(files, options),
				endpoint: (port, options) => handle.endpoint(port, options),
			};
		};
		const provider = defineProvider({ ...spec, name: "box", create: connect, connect });
		const sandbox = await openSandbox({ provider, runtime });
		expect(await health(sandbox)).toBe(200);
		const again = await openSandbox({ provider, runtime, sandboxId: container.id });
		expect((await again.endpoint()).token).toBe((await sandbox.endpoint()).token);
		await sh(sandbox, "kill -9 $(pgrep -x node)");
		await sandbox.ensureServer();
		expect(await health(sandbox)).toBe(200);
	});
});

describe.skipIf(!service.available)("docker, when something is wrong", { meta }, () => {
	it("names the daemon that does not answer [docker/no-daemon] [docker/honours-host]", async () => {
		useDockerHost("unix:///no/such/docker.sock");
		await expect(open()).rejects.toMatchObject({
			code: "provider_unavailable",
			message: expect.stringContaining("unix:///no/such/docker.sock"),
		});
		useDockerHost("tcp://127.0.0.1:1");
		await expect(open()).rejects.toThrow("tcp://127.0.0.1:1");
	});

	it("says that the socket may not be used [docker/no-permission]", () => {
		const script = fileURLToPath(new URL("./fixtures/docker-status.ts", import.meta.url));
		const { stdout, stderr } = spawnSync(process.execPath, ["--conditions=sandbox-agent-source", script], {
			encoding: "utf8",
			uid: 65534,
			gid: 65534,
		});
		expect(stdout, stderr).toMatch(/no permission to use the Docker daemon at unix:\/\//);
	});

	it("names an image that cannot be found [docker/no-image]", async () => {
		await using registry = await startRegistry(1);
		await expect(open({ image: `${registry.host}/none:1` })).rejects.toMatchObject({
			code: "image_not_found",
			message: expect.stringContaining(`${registry.host}/none:1`),
		});
	});

	it("pulls an image that is not there, with progress", async () => {
		await using registry = await startRegistry(4 * 1024 * 1024);
		const name = `${registry.host}/tiny`;
		cleanups.push(async () => {
			await new Docker().getImage(`${name}:latest`).remove();
		});
		const events: StartProgress[] = [];
		const start = open({ image: name }, { onProgress: (event) => events.push(event) });
		await expect(start).rejects.toMatchObject({ code: "node_missing" });
		expect(registry.pulled()).toBe(1);
		const pulls = events.filter(({ phase }) => phase === "pull");
		expect(pulls[0]?.message).toBe(`pulling ${name}`);
		expect(pulls.at(-1)).toMatchObject({ message: `pulled ${name}`, totalBytes: expect.any(Number) });
		expect(pulls.at(-1)?.totalBytes).toBeGreaterThan(4 * 1024 * 1024);
		expect(await containers()).toEqual([]);
	});

	it("says that an image has no Node and removes the container [docker/no-node]", async () => {
		await expect(open({ image: withoutNode })).rejects.toMatchObject({
			code: "node_missing",
			message: expect.stringContaining(withoutNode),
		});
		expect(await containers()).toEqual([]);
	});

	it("shows the log of a server that ends, and removes the container", async () => {
		const start = open({ env: ["STAND_IN=exit-at-start"] }, { runtime: { path: STAND_IN } });
		await expect(start).rejects.toMatchObject({
			code: "start_failed",
			message: expect.stringMatching(/exited with code 3.*the moon is wrong/s),
		});
		expect(await containers()).toEqual([]);
	});

	it("removes the container when the daemon refuses its options", async () => {
		const start = open({ createContainerOptions: { HostConfig: { NetworkMode: "no-such-network" } } });
		await expect(start).rejects.toThrow("no-such-network");
		expect(await containers()).toEqual([]);
	});

	it.each(["create", "upload", "launch", "health"] as const)("leaves nothing when aborted in %s", async (phase) => {
		const controller = new AbortController();
		const reason = new Error("changed my mind");
		const onProgress = (event: StartProgress) => {
			if (event.phase === phase) controller.abort(reason);
		};
		const env = phase === "health" ? ["STAND_IN=never-healthy"] : [];
		const start = open({ env }, { runtime: { path: STAND_IN }, signal: controller.signal, onProgress });
		await expect(start).rejects.toBe(reason);
		await until("nothing is left", async () => (await containers()).length === 0);
	});

	it("makes one container of two requests with one key", async () => {
		const spec = specOf();
		const request = {
			key: `twice-${process.pid}`,
			labels: { [LABELS.managed]: "true", [LABELS.key]: `twice-${process.pid}` },
			runtime: { artifact: never, localPath: never, sha256: never, bytes: never },
			token: "t",
			port: 3000,
			env: {},
		};
		const [one, two] = [await spec.create(request), await spec.create(request)];
		cleanups.push(() => spec.destroy(one.id));
		expect(one.id).toBe(two.id);
		expect(await containers()).toHaveLength(1);
	});
});

function never(): Promise<never> {
	return Promise.reject(new Error("not needed to make a container"));
}
