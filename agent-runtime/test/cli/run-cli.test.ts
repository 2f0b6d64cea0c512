import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { describe, expect, it } from "vitest";
import { createTestHome, run } from "./support/run-command.ts";

describe("the command line", () => {
	it("prints the version", async () => {
		using home = createTestHome();
		expect(await run(home, ["--version"])).toMatchObject({ code: 0, stdout: "sandbox-agent 0.5.0\n", stderr: "" });
	});

	it("without arguments shows its usage on stderr and ends with 2 [cli/usage]", async () => {
		using home = createTestHome();
		const result = await run(home, []);
		expect(result).toMatchObject({ code: 2, stdout: "", stderr: expect.stringContaining("Usage: sandbox-agent") });
		expect(result.stderr).toContain("install-agent");
		expect(result.stderr).not.toContain("mock-agent-process");
	});

	it("has help on every level, on stdout", async () => {
		using home = createTestHome();
		for (const words of [[], ["server"], ["api"], ["api", "acp"], ["api", "acp", "post"], ["install-agent"]]) {
			const result = await run(home, [...words, "--help"]);
			expect([result.code, result.stdout]).toEqual([
				0,
				expect.stringContaining(["Usage: sandbox-agent", ...words].join(" ")),
			]);
		}
	});

	it.each([
		[["bogus"], "unknown command 'bogus'"],
		[["daemon", "start"], "unknown command 'daemon'"],
		[["api"], "Usage"],
		[["server", "more"], "too many arguments"],
		[["server", "--bogus"], "unknown option '--bogus'"],
		[["server", "--port", "65536"], "0 to 65535"],
		[["server", "--port", "http"], "integer"],
		[["server", "--token", ""], "--token"],
		[["server", "--token", "two words"], "--token"],
		[["server", "--token", "a", "--token-file", "b"], "--token-file"],
		[["server", "-O", "app.example"], "scheme, host and port"],
		[["server", "-O", "http://app.example/path"], "scheme, host and port"],
		[["server", "-O", "*", "-C"], "--cors-allow-credentials"],
		[["server", "-M", "GE T"], "HTTP method"],
		[["server", "-A", "x:y"], "HTTP header"],
		[["server", "--allowed-host", "http://x"], "host name"],
		[["server", "--public-url", "box.example"], "URL"],
		[["server", "--max-body-bytes", "0"], "positive"],
		[["server", "--ready-fd", "2"], "above 2"],
		[["server", "--detached"], "--ready-fd"],
		[["install-agent"], "--all"],
		[["install-agent", "mock", "--all"], "--all"],
		[["install-agent", "--all", "--agent-version", "1.0.0"], "--agent-version"],
		[["api", "acp", "close"], "--server-id"],
		[["api", "acp", "post", "--server-id", "x"], "--json"],
		[["api", "agents", "list", "-e", "ftp://x"], "URL"],
	])("%j is a usage error that names the mistake [cli/empty-token] [cli/cors-usage]", async (words, text) => {
		using home = createTestHome();
		const result = await run(home, words);
		expect(result).toMatchObject({ code: 2, stdout: "", stderr: expect.stringContaining(text) });
	});

	it("a port in use is exit 1 with one line that names port and remedy [cli/port-in-use]", async () => {
		using home = createTestHome();
		const other = createServer();
		await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
		const { port } = other.address() as AddressInfo;
		const result = await run(home, ["server", "--port", String(port)]);
		other.close();
		expect([result.code, result.stderr.trimEnd().split("\n").length]).toEqual([1, 1]);
		expect(result.stderr).toMatch(/^ts=\S+ level=error target=sandbox_agent message="sandbox-agent failed" error="/);
		expect(result.stderr).toContain(`port ${port}`);
		expect(result.stderr).toContain("--port");
	});

	it.each([
		[["server", "--port", "0", "--host", "no-such-host.invalid"], "no-such-host.invalid"],
		[["server", "--port", "0", "--host", "192.0.2.1"], "192.0.2.1"],
		[["server", "--port", "0", "--token-file", "/no/such/file"], "/no/such/file"],
		[["server", "--port", "0", "--ready-fd", "77"], "--ready-fd 77"],
		[["install-agent", "zzz"], "unsupported agent: zzz"],
		[["api", "agents", "list", "-e", "http://127.0.0.1:1"], "http://127.0.0.1:1"],
	])("%j fails with exit 1 and says why", async (words, text) => {
		using home = createTestHome();
		expect(await run(home, words)).toMatchObject({ code: 1, stdout: "", stderr: expect.stringContaining(text) });
	});

	it("install-agent prints its result in its own spelling [cli/install-agent]", async () => {
		using home = createTestHome();
		const result = await run(home, ["install-agent", "mock"]);
		expect([result.code, JSON.parse(result.stdout)]).toEqual([0, { alreadyInstalled: true, artifacts: [] }]);
	});
});
