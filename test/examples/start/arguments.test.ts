import { describe, expect, it } from "vitest";
import { readArguments, UsageError } from "../../../examples/start/arguments.ts";
import { credentialsOf, missingCredentials, readyAgents } from "../../../examples/start/credentials.ts";
import { policyFor } from "../../../examples/start/permission-desk.ts";

describe("the arguments of npm start", () => {
	it("are a demonstration of the mock agent on this machine by default", () => {
		expect(readArguments([])).toMatchObject({ prompt: "demo", agent: "mock", provider: "local", keep: false });
	});

	it("give a real agent something to do by default", () => {
		expect(readArguments(["--agent", "claude"]).prompt).toContain("hello.md");
	});

	it("take a prompt before and after the options", () => {
		expect(readArguments(["hello", "--agent", "claude"])).toMatchObject({ prompt: "hello", agent: "claude" });
		expect(readArguments(["--keep", "hello"])).toMatchObject({ prompt: "hello", keep: true });
	});

	it.each([
		[["--provider", "moon"], "--provider moon is not known: use local or docker"],
		[["--permissions", "maybe"], "--permissions maybe is not known: use ask or allow or reject"],
		[["--agent", ""], "--agent needs the name of an agent"],
		[["--agent"], "--agent"],
		[["--colour"], "--colour"],
		[["two", "prompts"], "one prompt is expected, 2 were given"],
	])("%j is a mistake that is named", (args, message) => {
		expect(() => readArguments(args)).toThrow(UsageError);
		expect(() => readArguments(args)).toThrow(message);
	});
});

describe("the answer to a permission question", () => {
	const policy = (args: string[], isTerminal: boolean) => policyFor(readArguments(args), isTerminal);

	it("is asked for on a terminal", () => {
		expect(policy([], true)).toBe("ask");
	});

	it("without a terminal allows what is played or stays in a container, and nothing else", () => {
		expect(policy([], false)).toBe("allow");
		expect(policy(["--agent", "claude", "--provider", "docker"], false)).toBe("allow");
		expect(policy(["--agent", "claude"], false)).toBe("reject");
	});

	it("is what the user said, always", () => {
		expect(policy(["--agent", "claude", "--permissions", "allow"], false)).toBe("allow");
		expect(policy(["--permissions", "reject"], true)).toBe("reject");
	});
});

describe("the credentials of this machine", () => {
	it("are handed on by agent, without empty ones", () => {
		const environment = { ANTHROPIC_API_KEY: "one", ANTHROPIC_BASE_URL: "", OPENAI_API_KEY: "two", HOME: "/root" };
		expect(credentialsOf("claude", environment)).toEqual({ ANTHROPIC_API_KEY: "one" });
		expect(credentialsOf("mock", environment)).toEqual({});
	});

	it("are missed before anything is installed, and named", () => {
		const claude = { id: "claude", credentialsAvailable: false };
		expect(missingCredentials(claude, {})).toMatch(/no credentials for claude .* set ANTHROPIC_API_KEY/);
		expect(missingCredentials(claude, { ANTHROPIC_AUTH_TOKEN: "one" })).toBeUndefined();
		expect(missingCredentials({ ...claude, credentialsAvailable: true }, {})).toBeUndefined();
	});

	it("name the agents that are ready, not those that need none", () => {
		const agents = ["claude", "codex", "pi", "mock"].map((id) => ({ id, credentialsAvailable: id !== "codex" }));
		expect(readyAgents(agents)).toEqual(["claude"]);
	});
});
