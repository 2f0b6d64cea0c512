import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { toAgentReport } from "../../src/cli/agent-report.ts";
import { createTestHome, run, startCommand, startServerCommand } from "./support/run-command.ts";

const MESSAGE = '{"jsonrpc":"2.0","id":7,"method":"initialize","params":{"protocolVersion":1,"clientCapabilities":{}}}';

describe("api", () => {
	it("finds the token of a server on this machine by itself, unless told not to", async () => {
		using home = createTestHome();
		await using server = await startServerCommand(home);
		const endpoint = ["-e", `http://localhost:${server.port}`];
		const list = await run(home, ["api", "agents", "list", ...endpoint]);
		expect([list.code, list.stderr]).toEqual([0, ""]);
		expect(JSON.parse(list.stdout).agents.map(({ id }: { id: string }) => id)).toContain("mock");
		for (const words of [["--no-token"], ["--token", "wrong-token"]]) {
			const refused = await run(home, ["api", "agents", "list", ...endpoint, ...words]);
			expect(refused).toMatchObject({
				code: 1,
				stdout: expect.stringContaining('"type": "urn:sandbox-agent:error:token_invalid"'),
				stderr: expect.stringContaining("unexpected http status: 401 Unauthorized"),
			});
		}
	});

	it("reports choices and installs by the documented routes", async () => {
		using home = createTestHome();
		await using server = await startServerCommand(home, ["--token", "given-token"]);
		const environment = { SANDBOX_AGENT_TOKEN: "given-token" };
		const endpoint = ["-e", `http://127.0.0.1:${server.port}/`];
		const report = await run(home, ["api", "agents", "report", ...endpoint], { environment });
		expect(JSON.parse(report.stdout)).toMatchObject({
			endpoint: `http://127.0.0.1:${server.port}`,
			agents: { length: 7 },
		});
		const install = await run(home, ["api", "agents", "install", "mock", ...endpoint], { environment });
		expect([install.code, JSON.parse(install.stdout)]).toEqual([0, { already_installed: true, artifacts: [] }]);
		const unknown = await run(home, ["api", "agents", "install", "a/b", ...endpoint], { environment });
		expect(unknown).toMatchObject({ code: 1, stdout: expect.stringContaining("unsupported agent: a/b") });
	});

	it("posts, streams and closes a connection [cli/api]", async () => {
		using home = createTestHome();
		await using server = await startServerCommand(home);
		const common = ["-e", `http://127.0.0.1:${server.port}`, "--server-id", "a b"];
		const post = await run(home, ["api", "acp", "post", ...common, "--agent", "mock", "--json", MESSAGE]);
		expect([post.code, JSON.parse(post.stdout)]).toMatchObject([0, { id: 7, result: { protocolVersion: 1 } }]);
		const file = join(home.path, "message.json");
		writeFileSync(file, '{"jsonrpc":"2.0","method":"_note"}');
		const note = await run(home, ["api", "acp", "post", ...common, "--json-file", file]);
		expect(note).toMatchObject({ code: 0, stdout: "", stderr: "" });

		const stream = startCommand(home, ["api", "acp", "stream", ...common, "--last-event-id", "0"]);
		const first = await new Promise<string>((resolve) => stream.stdout?.setEncoding("utf8").once("data", resolve));
		expect(first).toMatch(/^event: message\nid: 1\ndata: \{.*"id":7/);
		const ended = new Promise((resolve) => stream.once("exit", resolve));
		expect(await run(home, ["api", "acp", "close", ...common])).toMatchObject({ code: 0, stdout: "" });
		expect(await ended).toBe(0);
		const gone = await run(home, ["api", "acp", "post", ...common, "--json", MESSAGE]);
		expect(gone).toMatchObject({ code: 1, stderr: expect.stringContaining("400 Bad Request") });
	});
});

describe("toAgentReport", () => {
	it("sorts values without regard to case and says null where there is no choice", () => {
		const option = {
			id: "model",
			name: "Model",
			category: "model",
			type: "select",
			currentValue: "b",
			options: ["b", "A", "c"].map((value) => ({ value, name: value })),
		};
		const agents = [{ id: "x", installed: true, configOptions: [option] }];
		// The report reads a few members of each agent.
		const list = { agents } as unknown as Parameters<typeof toAgentReport>[0];
		expect(toAgentReport(list, new URL("http://box.example/base"), 5)).toEqual({
			generatedAtMs: 5,
			endpoint: "http://box.example",
			agents: [
				{
					id: "x",
					installed: true,
					models: { currentValue: "b", values: ["A", "b", "c"].map((value) => ({ value, name: value })) },
					modes: { currentValue: null, values: [] },
					thoughtLevels: { currentValue: null, values: [] },
				},
			],
		});
	});
});
