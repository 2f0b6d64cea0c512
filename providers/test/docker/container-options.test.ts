import { describe, expect, it } from "vitest";
import { containerOptions } from "../../src/docker/container-options.ts";

const request = { key: "k1", labels: { "sandbox-agent": "true" }, env: { MODEL_KEY: "from start" } };
const input = { image: "node:24", port: 3000, host: undefined, env: [], binds: [], overrides: {}, request };

describe("the options of a container", () => {
	it("run the server as its command, with the port published on loopback only [docker/loopback-port]", () => {
		const options = containerOptions(input);
		expect(options).toMatchObject({
			name: "sandbox-agent-k1",
			Image: "node:24",
			Entrypoint: ["node"],
			ExposedPorts: { "3000/tcp": {} },
			HostConfig: { Init: true, PortBindings: { "3000/tcp": [{ HostIp: "127.0.0.1", HostPort: "" }] } },
		});
		expect(options.Cmd).toContain("--token-file");
		expect(options.HostConfig?.AutoRemove).toBeUndefined();
	});

	it("merge with the caller's at every depth [docker/deep-merge]", () => {
		const options = containerOptions({
			...input,
			env: ["A=option", "B=option"],
			binds: ["/a:/a"],
			overrides: {
				Env: ["B=override", "C=override"],
				Labels: { team: "blue" },
				ExposedPorts: { "8080/tcp": {} },
				HostConfig: { Memory: 1024, Binds: ["/b:/b"], PortBindings: { "8080/tcp": [{ HostPort: "8080" }] } },
				WorkingDir: undefined,
			},
		});
		expect(options.Env).toEqual(["HOME=/home/sandbox", "MODEL_KEY=from start", "A=option", "B=override", "C=override"]);
		expect(options.Labels).toEqual({ "sandbox-agent": "true", team: "blue" });
		expect(Object.keys(options.ExposedPorts ?? {})).toEqual(["3000/tcp", "8080/tcp"]);
		expect(options.HostConfig).toMatchObject({ Init: true, Memory: 1024, Binds: ["/a:/a", "/b:/b"] });
		expect(Object.keys(options.HostConfig?.PortBindings ?? {})).toEqual(["3000/tcp", "8080/tcp"]);
		expect(options.WorkingDir).toBe("/home/sandbox");
	});

	it("let the caller choose the address and port of the server's own mapping", () => {
		const own = { "3000/tcp": [{ HostIp: "10.0.0.5", HostPort: "9000" }] };
		const options = containerOptions({ ...input, overrides: { HostConfig: { PortBindings: own } } });
		expect(options.HostConfig?.PortBindings).toEqual(own);
	});

	it.each([
		["localhost", "127.0.0.1"],
		["10.0.0.5", "10.0.0.5"],
		["docker.example.org", "0.0.0.0"],
	])("publish for host %s on %s", (host, address) => {
		const options = containerOptions({ ...input, host });
		expect(options.HostConfig?.PortBindings).toMatchObject({ "3000/tcp": [{ HostIp: address }] });
	});

	it("leave the caller's objects as they were", () => {
		const overrides = { Labels: { team: "blue" }, HostConfig: { Binds: ["/b:/b"] } };
		const before = structuredClone(overrides);
		containerOptions({ ...input, overrides });
		expect(overrides).toEqual(before);
	});
});
