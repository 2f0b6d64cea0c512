import { describe, expect, it } from "vitest";
import { type ContainerEndpointInput, containerUrl } from "../../src/docker/container-endpoint.ts";
import { locationOf } from "../../src/docker/daemon.ts";

/** The part of a container's networks that counts here. */
function network(
	address: string,
	published?: { HostIp: string; HostPort: string }[],
): ContainerEndpointInput["network"] {
	const entry = { IPAddress: address } as ContainerEndpointInput["network"]["Networks"][string];
	return { Networks: { bridge: entry }, Ports: published ? { "3000/tcp": published } : {} };
}

const published = [
	{ HostIp: "::1", HostPort: "40001" },
	{ HostIp: "127.0.0.1", HostPort: "40000" },
];
const base = { port: 3000, host: undefined, address: "unix:///var/run/docker.sock" };

describe("the URL of a container", () => {
	it("is the published port of a daemon on this machine", () => {
		const input = { ...base, location: "here", network: network("172.17.0.2", published) } as const;
		expect(containerUrl(input)).toBe("http://127.0.0.1:40000");
		const everywhere = [{ HostIp: "0.0.0.0", HostPort: "40000" }];
		expect(containerUrl({ ...input, network: network("172.17.0.2", everywhere) })).toBe("http://127.0.0.1:40000");
	});

	it("is the container's own address where no port is published, and when we are in a container ourselves", () => {
		expect(containerUrl({ ...base, location: "here", network: network("10.1.0.2") })).toBe("http://10.1.0.2:3000");
		const outside = { ...base, location: "outside", network: network("172.17.0.2", published) } as const;
		expect(containerUrl(outside)).toBe("http://172.17.0.2:3000");
	});

	it("is at the host the caller named", () => {
		const input = { ...base, host: "10.0.0.5", location: "remote", network: network("", published) } as const;
		expect(containerUrl(input)).toBe("http://10.0.0.5:40000");
		expect(() => containerUrl({ ...input, network: network("10.1.0.2") })).toThrow("not published");
	});

	it("is refused where none is reachable", () => {
		const remote = {
			...base,
			location: "remote",
			address: "tcp://10.0.0.5:2375",
			network: network("", published),
		} as const;
		expect(() => containerUrl(remote)).toThrow(expect.objectContaining({ code: "endpoint_unreachable" }));
		expect(() => containerUrl(remote)).toThrow(/tcp:\/\/10\.0\.0\.5:2375.*pass `host`/s);
		for (const location of ["here", "outside"] as const) {
			expect(() => containerUrl({ ...base, location, network: network("") })).toThrow("no network address");
		}
	});
});

describe("where a daemon is", () => {
	it.each([
		["unix:///var/run/docker.sock", false, "here"],
		["unix:///var/run/docker.sock", true, "outside"],
		["npipe:////./pipe/docker_engine", false, "here"],
		["tcp://127.0.0.1:2375", false, "here"],
		["localhost:2375", false, "here"],
		["tcp://[::1]:2375", false, "here"],
		["tcp://10.0.0.5:2375", false, "remote"],
		["ssh://user@localhost", false, "remote"],
		["tcp://docker:2376", true, "remote"],
		["%%%", false, "remote"],
	])("%s (inside a container: %s) is %s", (address, inside, location) => {
		expect(locationOf(address, inside)).toBe(location);
	});
});
