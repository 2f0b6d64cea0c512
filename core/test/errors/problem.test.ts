import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
	ERROR_CODES,
	fromProblem,
	isProblem,
	PROBLEM_TYPE_PREFIX,
	SandboxAgentError,
	type SandboxAgentErrorCode,
	toProblem,
} from "../../src/errors/index.ts";

const codes = Object.keys(ERROR_CODES) as SandboxAgentErrorCode[];

/** What a reader can tell two errors apart by. */
function essence(error: SandboxAgentError) {
	const { code, status, title, detail, details, retryable, hint, message } = error;
	return { code, status, title, detail, details, retryable, hint, message };
}

/** The error as it arrives at the other side: through JSON. */
function overTheWire(error: SandboxAgentError): SandboxAgentError {
	return fromProblem(JSON.parse(JSON.stringify(toProblem(error))));
}

describe("an error on its way over the wire [wire/error-round-trip]", () => {
	it.each(codes)("%s arrives as it was sent", (code) => {
		const error = new SandboxAgentError(code, "this is what happened");
		expect(essence(overTheWire(error))).toEqual(essence(error));
	});

	it("keeps its members, whatever they are", () => {
		const reserved = ["type", "title", "status", "detail", "instance", "retryable", "hint", "__proto__"];
		const members = fc.dictionary(
			fc.string({ minLength: 1 }).filter((name) => !reserved.includes(name)),
			fc.jsonValue().map((value) => JSON.parse(JSON.stringify(value))),
		);
		fc.assert(
			fc.property(fc.constantFrom(...codes), fc.string(), members, (code, detail, details) => {
				const error = new SandboxAgentError<SandboxAgentErrorCode>(code, detail, { details: { ...details } });
				expect(essence(overTheWire(error))).toEqual(essence(error));
			}),
		);
	});

	it("keeps a status, title, hint and retryability of its own", () => {
		const error = new SandboxAgentError("invalid_request", "endpoint not found", {
			status: 404,
			title: "Not Found",
			hint: "look at the documentation",
			retryable: true,
		});
		expect(essence(overTheWire(error))).toEqual(essence(error));
	});
});

describe("the problem document", () => {
	it("of a known code has the documented members and no more", () => {
		const problem = toProblem(
			new SandboxAgentError("token_invalid", "token invalid", {
				details: { details: { message: "missing or invalid bearer token" } },
			}),
		);
		expect(problem).toEqual({
			type: "urn:sandbox-agent:error:token_invalid",
			title: "Token Invalid",
			status: 401,
			detail: "token invalid",
			details: { message: "missing or invalid bearer token" },
		});
	});

	it("of a code this build does not know keeps status, title and members", () => {
		const make = (status: number) =>
			fromProblem({ type: `${PROBLEM_TYPE_PREFIX}brand_new`, title: "Brand New", status, detail: "hm", more: 1 });
		expect(make(503)).toMatchObject({ code: "internal_error", status: 503, title: "Brand New", details: { more: 1 } });
		expect(make(418)).toMatchObject({ code: "invalid_request", status: 418 });
	});

	it("of another origin is not taken for one of our codes", () => {
		const error = fromProblem({ type: "https://example.com/timeout", title: "Timeout", status: 504 });
		expect(error.code).toBe("internal_error");
	});

	it("is kept on the error that was read from it", () => {
		const problem = toProblem(new SandboxAgentError("conflict", "busy", { details: { details: { message: "busy" } } }));
		expect(fromProblem(problem).problem).toBe(problem);
	});

	it("is told apart from other JSON", () => {
		expect(isProblem(toProblem(new SandboxAgentError("queue_full", "64 messages wait")))).toBe(true);
		for (const value of [null, undefined, "text", 4, [], {}, { type: "x", title: "y" }])
			expect(isProblem(value)).toBe(false);
	});
});
