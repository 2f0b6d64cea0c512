import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { rolldown } from "rolldown";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { RuntimeServer } from "../support/runtime-server.ts";

const ENTRY = fileURLToPath(new URL("../../src/index.ts", import.meta.url));

let server: RuntimeServer;
let directory: string;

beforeAll(async () => {
	server = await RuntimeServer.start();
	directory = await mkdtemp(join(tmpdir(), "sandbox-agent-bundle-"));
});

afterAll(async () => {
	await server[Symbol.asyncDispose]();
	await rm(directory, { recursive: true, force: true });
});

/** The root entry in one file, as a bundler for that place makes it. */
async function bundle(condition: string): Promise<{ code: string; external: string[] }> {
	const build = await rolldown({
		input: ENTRY,
		platform: "browser",
		resolve: { conditionNames: ["sandbox-agent-source", condition, "import", "default"] },
		logLevel: "silent",
	});
	const { output } = await build.generate({ format: "esm", codeSplitting: false });
	await build.close();
	const [chunk] = output;
	return { code: chunk.code, external: [...chunk.imports, ...chunk.dynamicImports] };
}

describe.each(["browser", "workerd"])("the root entry bundled for %s", (condition) => {
	it("needs nothing of Node and runs a prompt through a fetch [sdk-runs-anywhere]", async () => {
		const { code, external } = await bundle(condition);
		expect(external).toEqual([]);
		expect(/(?:from|import|require)\s*\(?\s*["']node:/.exec(code)).toBeNull();
		expect(code.includes("@sandbox-agent/providers")).toBe(false);
		const file = join(directory, `${condition}.mjs`);
		await writeFile(file, code);
		const { SandboxAgent }: typeof import("sandbox-agent") = await import(/* @vite-ignore */ pathToFileURL(file).href);
		const send: typeof fetch = (input, init) => fetch(String(input).replace("http://sandbox-agent", server.url), init);
		const client = await SandboxAgent.connect({ fetch: send, token: server.token });
		const session = await client.createSession({ agent: "mock" });
		expect(await session.prompt("hello")).toMatchObject({ stopReason: "end_turn" });
		expect((await session.refresh()).toRecord().sessionInit?.cwd).toBe("/");
		await client.dispose();
		await expect(SandboxAgent.start()).rejects.toMatchObject({ code: "platform_unsupported" });
	});
});
