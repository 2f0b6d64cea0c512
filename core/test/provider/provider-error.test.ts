import { describe, expect, it } from "vitest";
import { SandboxAgentError } from "../../src/errors/index.ts";
import { kindOfStatus, ProviderError, parseRetryAfter, sandboxDestroyed } from "../../src/provider/index.ts";

describe("ProviderError", () => {
	it("belongs to the family and says whether a retry can help", () => {
		const error = new ProviderError("acme", "rate-limit", "too many requests", { retryAfterMs: 3_000, cause: "429" });
		expect(SandboxAgentError.isInstance(error, "provider_unavailable")).toBe(true);
		expect(error).toMatchObject({ kind: "rate-limit", retryable: true, retryAfterMs: 3_000, ambiguous: false });
		expect(error.message).toContain("[acme] too many requests");
		expect(new ProviderError("acme", "auth", "bad key").retryable).toBe(false);
	});

	it.each([
		[401, "auth"],
		[403, "auth"],
		[402, "quota"],
		[404, "not-found"],
		[410, "not-found"],
		[408, "timeout"],
		[409, "conflict"],
		[422, "invalid"],
		[429, "rate-limit"],
		[503, "unavailable"],
		[504, "timeout"],
		[302, "unknown"],
	])("knows what status %i means", (status, kind) => {
		expect(kindOfStatus(status)).toBe(kind);
	});

	it("reads Retry-After in seconds and as a date", () => {
		expect(parseRetryAfter("2")).toBe(2_000);
		expect(parseRetryAfter("Thu, 01 Jan 1970 00:00:05 GMT", 1_000)).toBe(4_000);
		expect(parseRetryAfter("Thu, 01 Jan 1970 00:00:05 GMT", 9_000)).toBe(0);
		expect(parseRetryAfter("soon")).toBeUndefined();
		expect(parseRetryAfter(null)).toBeUndefined();
	});
});

describe("sandboxDestroyed", () => {
	it("names the sandbox as callers write it", () => {
		expect(sandboxDestroyed("acme", "i-1").details).toEqual({ sandboxId: "acme/i-1" });
	});
});
