import { describe, expect, it } from "vitest";
import { redact, redactTarget } from "../../src/util/index.ts";

describe("redact", () => {
	it("masks every occurrence of every secret [guard/no-secret-in-logs]", () => {
		expect(redact("a=one b=two c=one", ["one", "two"])).toBe("a=[redacted] b=[redacted] c=[redacted]");
	});

	it("ignores secrets that are missing or empty", () => {
		expect(redact("nothing", ["", undefined])).toBe("nothing");
	});

	it("takes secrets literally", () => {
		expect(redact("a.c abc", ["a.c"])).toBe("[redacted] abc");
		expect(redact("x$&y", ["$&"])).toBe("x[redacted]y");
	});
});

describe("redactTarget", () => {
	it("masks the values of credential parameters and keeps the rest [guard/no-secret-in-logs]", () => {
		expect(redactTarget("/v1/x?a=1&access_token=secret&b=2")).toBe("/v1/x?a=1&access_token=[redacted]&b=2");
		expect(redactTarget("/ui/?token=secret#top")).toBe("/ui/?token=[redacted]#top");
		expect(redactTarget("/v1/x?Access_Token=secret")).toBe("/v1/x?Access_Token=[redacted]");
	});

	it("leaves other parameters alone", () => {
		expect(redactTarget("/v1/x?tokens=3&mytoken=4")).toBe("/v1/x?tokens=3&mytoken=4");
	});
});
