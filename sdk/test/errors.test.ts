import {
	AcpRpcError,
	SandboxAgentError,
	SandboxDestroyedError,
	UnsupportedPermissionReplyError,
	UnsupportedSessionCategoryError,
	UnsupportedSessionConfigOptionError,
	UnsupportedSessionValueError,
} from "sandbox-agent";
import { describe, expect, it } from "vitest";
import { fromRpcError, toRpcError } from "../src/acp/envelope.ts";

describe("error classes", () => {
	it.each([
		[new SandboxDestroyedError("i-1", "e2b", { cause: 1 }), { sandboxId: "i-1", provider: "e2b", cause: 1 }],
		[
			new UnsupportedSessionCategoryError("s", "model", ["z", "a"]),
			{ sessionId: "s", category: "model", availableCategories: ["a", "z"] },
		],
		[
			new UnsupportedSessionValueError("s", "model", "m", "x", ["a"]),
			{ sessionId: "s", category: "model", configId: "m", requestedValue: "x", allowedValues: ["a"] },
		],
		[
			new UnsupportedSessionConfigOptionError("s", "m", ["a"]),
			{ sessionId: "s", configId: "m", availableConfigIds: ["a"] },
		],
		[
			new UnsupportedPermissionReplyError("p", "always", ["once"]),
			{ permissionId: "p", requestedReply: "always", availableReplies: ["once"] },
		],
	])("%s has its name and its fields and is one of the family", (error, fields) => {
		expect(error).toMatchObject(fields);
		expect(error.name).toBe(error.constructor.name);
		expect(error).toBeInstanceOf(SandboxAgentError);
		expect(SandboxAgentError.isInstance(error)).toBe(true);
	});

	it.each([
		[-32700, "Parse error: x"],
		[-32600, "Invalid request: x"],
		[-32601, "Method not supported by agent: x"],
		[-32602, "Invalid parameters: x"],
		[-32603, "Internal agent error: x"],
		[-32000, "Authentication required: x"],
		[-32002, "Resource not found: x"],
		[4, "x"],
	])("of an agent's error %i begin with what the code means", (code, message) => {
		expect(new AcpRpcError(code, "x", { y: 1 })).toMatchObject({ name: "AcpRpcError", code, message, data: { y: 1 } });
	});
});

describe("errors as envelopes", () => {
	it("come back as what they were", () => {
		const details = { agent: "mock", details: { exitCode: 3 } };
		const error = new SandboxAgentError("agent_process_exited", "it is gone", { details });
		const { message, hint } = error;
		expect(fromRpcError(toRpcError(error))).toMatchObject({ code: "agent_process_exited", details, message, hint });
		expect(fromRpcError(toRpcError(new AcpRpcError(5, "x", 1)))).toMatchObject({
			name: "AcpRpcError",
			code: 5,
			data: 1,
		});
		expect(toRpcError("text")).toEqual({ code: -32603, message: "text" });
	});
});
