import { describe, expect, it } from "vitest";
import { forgetToken, mintedTokenPath, readEnvironment } from "../../src/options.ts";

describe("readEnvironment", () => {
	it("follows the XDG variables, unless they are empty or relative", () => {
		const home = { HOME: "/home/u" };
		expect(readEnvironment({ ...home, XDG_DATA_HOME: "/d", XDG_STATE_HOME: "/s" })).toMatchObject({
			dataDirectory: "/d/sandbox-agent",
			stateRoot: "/s/sandbox-agent",
		});
		for (const wrong of ["", "relative"]) {
			expect(readEnvironment({ ...home, XDG_DATA_HOME: wrong, XDG_STATE_HOME: wrong })).toMatchObject({
				dataDirectory: "/home/u/.local/share/sandbox-agent",
				stateRoot: "/home/u/.local/state/sandbox-agent",
			});
		}
	});

	it("hands the token out, but not among what children inherit", () => {
		const environment = { SANDBOX_AGENT_TOKEN: "secret", OTHER: "x" };
		const { token, variables } = readEnvironment(environment);
		expect([token, variables]).toEqual(["secret", { OTHER: "x" }]);
		forgetToken(environment);
		expect(environment).toEqual({ OTHER: "x" });
	});

	it("reads switches and numbers as they are documented", () => {
		for (const value of ["1", "true", "yes"]) {
			expect(readEnvironment({ SANDBOX_AGENT_REQUIRE_PREINSTALL: value }).requirePreinstall).toBe(true);
		}
		for (const value of ["0", "false"]) {
			expect(readEnvironment({ SANDBOX_AGENT_LOG_HTTP: value }).log.requests).toBe(false);
		}
		expect(readEnvironment({}).log).toEqual({ directory: undefined, stdout: false, requests: true, headers: false });
		expect(readEnvironment({ SANDBOX_AGENT_ACP_REQUEST_TIMEOUT_MS: "5000" }).acpRequestTimeoutMs).toBe(5000);
		for (const value of ["0", "-1", "1.5", "x"]) {
			const { acpRequestTimeoutMs, problems } = readEnvironment({ SANDBOX_AGENT_ACP_REQUEST_TIMEOUT_MS: value });
			expect(acpRequestTimeoutMs).toBeUndefined();
			expect(problems).toEqual([
				`SANDBOX_AGENT_ACP_REQUEST_TIMEOUT_MS is "${value}": give a positive whole number of milliseconds`,
			]);
		}
	});

	it("knows where a minted token lies", () => {
		expect(mintedTokenPath("/data", 2468)).toBe("/data/token-2468");
	});
});
