import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { pinnedPackage } from "../../src/agents/install/lock.ts";
import { livingGroupMembers } from "../../src/agents/transport/process-identity.ts";
import { useAgentService } from "./support/agent-service.ts";

const lab = useAgentService();

describe("AgentService: installing that fails", () => {
	it.each([
		["npm error code ENOSPC\nnpm error nospc ENOSPC: no space left on device, write", "the disk is full"],
		[
			"npm error code ECONNREFUSED\nnpm error FetchError: request to http://me:secret@localhost:1/x failed",
			"the npm registry at http://localhost:1 cannot be reached",
		],
		["npm error code ETARGET\nnpm error notarget No matching version found", "the npm registry has no such version"],
		["npm error code ENOTFOUND", "the npm registry cannot be reached"],
		["npm error something else", "npm ended with exit code 1 in "],
	])(
		"[agents/install-tail] [agents/install-disk-full] [agents/install-unreachable] says of %j that %s, carries npm's words, and leaves nothing",
		async (output, meaning) => {
			Object.assign(lab.environment, { STUB_NPM: "fail", STUB_OUTPUT: output });
			const install = lab.makeService().install("opencode", {});
			await expect(install).rejects.toMatchObject({
				code: "install_failed",
				status: 500,
				detail: expect.stringContaining(meaning),
				details: { agent: "opencode", details: { stderr: output } },
			});
			expect(lab.treesOf("opencode")).toEqual([]);
			expect(existsSync(join(lab.processes(), "opencode-acp"))).toBe(false);
			expect(readdirSync(lab.processes())).toEqual(["opencode"]);
		},
	);

	it("names npm when it is missing", async () => {
		rmSync(join(lab.directory, "path/npm"));
		const node = lab.putProgram(join(lab.directory, "elsewhere/node"), "exit 1");
		lab.environment.PATH = join(lab.directory, "path");
		const install = lab.makeService({ nodeProgram: node }).install("opencode", {});
		await expect(install).rejects.toMatchObject({
			code: "install_failed",
			detail: expect.stringContaining("npm is missing"),
		});
		expect(lab.treesOf("opencode")).toEqual([]);
	});

	it("[agents/install-atomic] does not trust an exit code of 0: nothing installed, no program, another version, another archive", async () => {
		const attempt = (stub: Record<string, string>) =>
			lab.makeService({ environment: { ...lab.environment, ...stub } }).install("opencode", {});
		const failing = (detail: string) => ({ code: "install_failed", detail: expect.stringContaining(detail) });
		await expect(attempt({ STUB_NPM: "empty" })).rejects.toMatchObject(failing("npm has not installed opencode-ai"));
		await expect(attempt({ STUB_NPM: "install", STUB_VERSION: "1.0.0" })).rejects.toMatchObject(
			failing("it states version 1.0.0, expected was 1.18.33"),
		);
		await expect(attempt({ STUB_NPM: "install", STUB_VERSION: "none" })).rejects.toMatchObject(
			failing("did not state"),
		);
		await expect(attempt({ STUB_NPM: "install", STUB_INTEGRITY: "{}" })).rejects.toMatchObject(failing("integrity"));
		expect(lab.treesOf("opencode")).toEqual([]);
	});

	it("notices that npm has left out the native program of an adapter", async () => {
		lab.environment.STUB_NPM = "install";
		const failing = (detail: string) => ({ code: "install_failed", detail: expect.stringContaining(detail) });
		const left = "npm has left out ";
		await expect(lab.makeService().install("claude", {})).rejects.toMatchObject(
			failing(`${left}@anthropic-ai/claude-agent-sdk-`),
		);
		await expect(lab.makeService().install("codex", {})).rejects.toMatchObject(failing(`${left}@openai/codex-`));
		expect([...lab.treesOf("claude"), ...lab.treesOf("codex")]).toEqual([]);
	});

	it("[agents/install-atomic] notices that the agent behind an adapter does not work, or is another archive", async () => {
		const attempt = (stub: Record<string, string>) =>
			lab.makeService({ environment: { ...lab.environment, STUB_NPM: "install", ...stub } }).install("pi", {});
		const failing = (detail: string) => ({ code: "install_failed", detail: expect.stringContaining(detail) });
		const name = "@earendil-works/pi-coding-agent";
		await expect(attempt({ STUB_COMPANION_VERSION: "1.0.0" })).rejects.toMatchObject(
			failing(`${name}: it states version 1.0.0, expected was 0.87.1`),
		);
		const adapterOnly = JSON.stringify({ "pi-acp": pinnedPackage("pi")?.integrity });
		await expect(attempt({ STUB_INTEGRITY: adapterOnly })).rejects.toMatchObject(failing(`${name}@0.87.1 is not`));
		expect(lab.treesOf("pi")).toEqual([]);
	});

	it("[agents/install-atomic] ends when the one caller gives up, with npm and everything it wrote", async () => {
		const started = join(lab.directory, "started");
		Object.assign(lab.environment, { STUB_NPM: "hang", STUB_STARTED: started });
		const service = lab.makeService();
		const controller = new AbortController();
		const launch = service.launch("opencode", { signal: controller.signal });
		await vi.waitFor(() => expect(readFileSync(started, "utf8")).not.toBe(""), 10_000);
		controller.abort(new Error("changed my mind"));
		await expect(launch).rejects.toThrow("changed my mind");
		await service.close();
		expect(await livingGroupMembers(Number(readFileSync(started, "utf8")))).toEqual([]);
		expect(lab.treesOf("opencode")).toEqual([]);
		lab.environment.STUB_NPM = "install";
		expect(await lab.makeService().launch("opencode")).toMatchObject({ version: "1.18.33" });
	});

	it("goes on for the others when one of several callers gives up", async () => {
		const gate = join(lab.directory, "gate");
		Object.assign(lab.environment, { STUB_NPM: "install", STUB_GATE: gate });
		const service = lab.makeService();
		const controller = new AbortController();
		const first = service.launch("opencode", { signal: controller.signal });
		const second = service.launch("opencode");
		await vi.waitFor(() => expect(lab.npmRuns()).toBe(1));
		controller.abort(new Error("changed my mind"));
		await expect(first).rejects.toThrow("changed my mind");
		writeFileSync(gate, "");
		expect(await second).toMatchObject({ version: "1.18.33" });
	});
});
