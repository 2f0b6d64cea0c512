import { describe, expect, it, vi } from "vitest";
import { ERROR_CODES, isErrorCode, SandboxAgentError } from "../../src/errors/index.ts";

describe("SandboxAgentError", () => {
	it("says title, detail and hint in its message [sdk/error-message]", () => {
		const error = new SandboxAgentError("queue_full", "64 messages wait");
		expect(error.message).toBe(`Queue Full: 64 messages wait (${ERROR_CODES.queue_full.hint})`);
	});

	it("has no hint in its message where the code has none", () => {
		expect(new SandboxAgentError("stream_error", "cut off").message).toBe("Stream Error: cut off");
	});

	it("keeps the cause", () => {
		const cause = new Error("first");
		expect(new SandboxAgentError("stream_error", "cut off", { cause }).cause).toBe(cause);
	});

	it("is recognised by code", () => {
		const error: unknown = new SandboxAgentError("timeout", "too slow");
		expect(SandboxAgentError.isInstance(error)).toBe(true);
		expect(SandboxAgentError.isInstance(error, "timeout")).toBe(true);
		expect(SandboxAgentError.isInstance(error, "conflict")).toBe(false);
	});

	it("is not confused with other values", () => {
		for (const value of [undefined, null, "timeout", { code: "timeout" }, new Error("timeout")]) {
			expect(SandboxAgentError.isInstance(value)).toBe(false);
		}
	});

	it("is recognised across two copies of the package", async () => {
		vi.resetModules();
		const other = await import("../../src/errors/sandbox-agent-error.ts");
		expect(other.SandboxAgentError).not.toBe(SandboxAgentError);
		const foreign = new other.SandboxAgentError("timeout", "too slow");
		expect(foreign).not.toBeInstanceOf(SandboxAgentError);
		expect(SandboxAgentError.isInstance(foreign, "timeout")).toBe(true);
	});

	it("shows code and members as JSON, and neither stack nor response", () => {
		const error = new SandboxAgentError("unsupported_agent", "unsupported agent: zzz", { details: { agent: "zzz" } });
		const json = JSON.parse(JSON.stringify(error));
		expect(json).toMatchObject({ code: "unsupported_agent", status: 400, details: { agent: "zzz" } });
		expect(json).not.toHaveProperty("stack");
		expect(json).not.toHaveProperty("response");
	});
});

describe("the code table", () => {
	it("has snake_case codes, HTTP error statuses and titles in title case", () => {
		for (const [code, entry] of Object.entries(ERROR_CODES)) {
			expect(code).toMatch(/^[a-z]+(_[a-z]+)*$/);
			expect(entry.status).toBeGreaterThanOrEqual(400);
			expect(entry.status).toBeLessThan(600);
			expect(entry.title).toMatch(/^[A-Z]/);
		}
	});

	it("knows its codes and nothing that every object has", () => {
		expect(isErrorCode("timeout")).toBe(true);
		expect(isErrorCode("toString")).toBe(false);
		expect(isErrorCode("")).toBe(false);
	});
});
