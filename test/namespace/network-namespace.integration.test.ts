import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { availabilityOf } from "../services/availability.ts";
import { startModelInside } from "./model-inside.ts";
import { NetworkNamespace } from "./network-namespace.ts";

const runFile = promisify(execFile);
const available = availabilityOf("namespace");

describe.skipIf(!available.available)("NetworkNamespace", { meta: { skipReason: available.reason } }, () => {
	it("has loopback and nothing else", async () => {
		await using namespace = await NetworkNamespace.open();
		const [command, args] = namespace.spawnArguments("ip", ["-brief", "address"]);
		const { stdout } = await runFile(command, args);
		expect(stdout.trim().split("\n")).toHaveLength(1);
		expect(stdout).toMatch(/^lo .*127\.0\.0\.1\/8/);
	});

	it("runs a model that programs inside reach, and nobody outside", async () => {
		await using namespace = await NetworkNamespace.open();
		await using model = await startModelInside(namespace);
		expect(await namespace.fetchJson(`${model.url}/v1/models`)).toMatchObject({ object: "list" });
		await expect(fetch(`${model.url}/v1/models`)).rejects.toThrow();
		expect(await model.requests()).toMatchObject([{ method: "GET", path: "/v1/models" }]);
		await model.clear();
		expect(await model.requests()).toEqual([]);
	});
});
