import { SandboxAgentError } from "@sandbox-agent/core/errors";
import { ProviderError } from "@sandbox-agent/core/provider";
import { describe, expect, it } from "vitest";
import { isNodeMissing, mapDockerError } from "../../src/docker/docker-error.ts";

const operation = { doing: "creating the container", address: "unix:///run/test.sock" };
const withCode = (code: string) => Object.assign(new Error(`connect ${code} /run/test.sock`), { code });
const withStatus = (statusCode: number, message: string) =>
	Object.assign(new Error(`(HTTP code ${statusCode}) frame - ${message} `), { statusCode, json: { message } });

describe("errors of the daemon", () => {
	it.each(["ENOENT", "ECONNREFUSED", "ENOTFOUND"])("%s: no daemon, with the address [docker/no-daemon]", (code) => {
		const error = mapDockerError(withCode(code), operation);
		expect(error).toMatchObject({ code: "provider_unavailable", kind: "unavailable", retryable: true });
		expect(String(error)).toMatch(/no Docker daemon answers at unix:\/\/\/run\/test\.sock.*DOCKER_HOST/);
	});

	it("EACCES: no permission, and what to do [docker/no-permission]", () => {
		const error = mapDockerError(withCode("EACCES"), operation);
		expect(error).toMatchObject({ kind: "auth", retryable: false });
		expect(String(error)).toMatch(/no permission to use the Docker daemon at unix:\/\/\/run\/test\.sock.*group/);
	});

	it("a broken connection: what was asked may have happened", () => {
		expect(mapDockerError(withCode("ECONNRESET"), operation)).toMatchObject({ ambiguous: true, retryable: true });
	});

	it("404 on a container: the sandbox is gone; on anything else it is not", () => {
		const gone = mapDockerError(withStatus(404, "No such container: c1"), { ...operation, containerId: "c1" });
		expect(SandboxAgentError.isInstance(gone, "sandbox_destroyed")).toBe(true);
		const other = mapDockerError(withStatus(404, "network n not found"), { ...operation, containerId: "c1" });
		expect(other).toBeInstanceOf(ProviderError);
		expect(String(other)).toContain("creating the container failed: network n not found");
	});

	it("other statuses: by their class, in the daemon's own words", () => {
		expect(mapDockerError(withStatus(400, "no command"), operation)).toMatchObject({ code: "provider_invalid" });
		expect(mapDockerError(withStatus(500, "disk full"), operation)).toMatchObject({ retryable: true });
	});

	it("an image without Node", () => {
		// As runc and docker-init 20.10 word it.
		const runc =
			'failed to create shim: OCI runtime create failed: runc create failed: unable to start container process: exec: "node": executable file not found in $PATH: unknown';
		const image = "alpine:3";
		expect(mapDockerError(withStatus(400, runc), { ...operation, image })).toMatchObject({
			code: "node_missing",
			message: expect.stringContaining(image),
		});
		expect(isNodeMissing("[FATAL tini (7)] exec node failed: No such file or directory")).toBe(true);
		expect(isNodeMissing("Error: Cannot find module '/opt/x'")).toBe(false);
	});

	it("what is not the daemon's is passed on", () => {
		const abort = new DOMException("stop", "AbortError");
		const own = new SandboxAgentError("image_not_found", "x");
		for (const error of [abort, own, "text"]) expect(mapDockerError(error, operation)).toBe(error);
	});
});
