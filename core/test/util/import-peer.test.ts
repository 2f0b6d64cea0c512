import { describe, expect, it } from "vitest";
import { importPeer } from "../../src/util/index.ts";

describe("importPeer", () => {
	it("gives the module", async () => {
		await expect(importPeer("local", "node:path", () => import("node:path"))).resolves.toHaveProperty("join");
	});

	it("names provider, package and remedy when it is not there", async () => {
		const missing = "a-package-that-nobody-installs";
		const error = await importPeer("docker", missing, () => import(missing)).catch((reason: unknown) => reason);
		expect(error).toMatchObject({ code: "peer_missing", hint: `install it: npm install ${missing}` });
		expect(String(error)).toContain(`[docker] the package ${missing} could not be loaded`);
		expect(error).toHaveProperty("cause.code");
	});
});
