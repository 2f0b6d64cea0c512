import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { createRuntime, setDefaultRuntime } from "../../src/provider/index.ts";
import { STAND_IN } from "../lifecycle/support/host-provider.ts";

const content = readFileSync(STAND_IN);
const sha256 = createHash("sha256").update(content).digest("hex");

describe("createRuntime", () => {
	it.each([
		["a path", { path: STAND_IN }, STAND_IN],
		["a file URL", { url: pathToFileURL(STAND_IN) }, STAND_IN],
		["a file URL as text", { url: pathToFileURL(STAND_IN).href }, STAND_IN],
		["bytes", { bytes: content }, undefined],
		["a function that reads", { bytes: async () => content }, undefined],
	])("reads %s", async (_what, artifact, path) => {
		const runtime = createRuntime({ ...artifact, sha256: sha256.toUpperCase() });
		expect(Buffer.from(await runtime.bytes())).toEqual(content);
		expect(await runtime.sha256()).toBe(sha256);
		expect(await runtime.localPath()).toBe(path);
	});

	it("downloads an address on the web", async () => {
		const server = createServer((request, response) => {
			response.writeHead(request.url === "/runtime" ? 200 : 404).end(content);
		});
		await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
		const address = server.address();
		const base = `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
		try {
			expect(await createRuntime({ url: `${base}/runtime` }).sha256()).toBe(sha256);
			await expect(createRuntime({ url: `${base}/none` }).bytes()).rejects.toMatchObject({ code: "runtime_missing" });
		} finally {
			server.closeAllConnections();
			server.close();
		}
	});

	it("finds and reads at most once, and not before it is needed", async () => {
		let found = 0;
		let read = 0;
		const runtime = createRuntime(() => {
			found++;
			const bytes = async () => {
				read++;
				return content;
			};
			return { bytes };
		});
		expect([found, read]).toEqual([0, 0]);
		await Promise.all([runtime.bytes(), runtime.sha256(), runtime.bytes()]);
		expect([found, read]).toEqual([1, 1]);
	});

	it("refuses content that does not match its digest", async () => {
		const runtime = createRuntime({ path: STAND_IN, sha256: "0".repeat(64) });
		await expect(runtime.bytes()).rejects.toThrow(`has SHA-256 ${sha256}`);
	});

	it("says what is missing", async () => {
		await expect(createRuntime(undefined).bytes()).rejects.toMatchObject({ code: "runtime_missing" });
		await expect(createRuntime({ version: "1" }).artifact()).rejects.toMatchObject({ code: "runtime_missing" });
		await expect(createRuntime({ path: "/no/such/file" }).bytes()).rejects.toThrow("/no/such/file");
	});

	it("falls back to the registered one", async () => {
		setDefaultRuntime({ path: STAND_IN });
		try {
			expect(await createRuntime().localPath()).toBe(STAND_IN);
		} finally {
			setDefaultRuntime(undefined);
		}
	});
});
