import { describe, expect, it } from "vitest";
import { auditEvent, type PermissionDecider } from "../../src/sessions/permission-audit.ts";

const request = {
	id: "question-1",
	options: [
		{ optionId: "yes", name: "Yes", kind: "allow_once" as const },
		{ optionId: "ever", name: "Always", kind: "allow_always" as const },
		{ optionId: "no", name: "No", kind: "reject_once" as const },
	],
};

function paramsOf(optionId: string | undefined, by: PermissionDecider = "listener", rule?: string) {
	const outcome =
		optionId === undefined ? { outcome: "cancelled" as const } : { outcome: "selected" as const, optionId };
	return auditEvent({ request, response: { outcome }, by, rule, at: 5 }).params;
}

describe("the audit of a decision [sdk-permission-audit]", () => {
	it("is a notification that says who decided what, by which rule and when", () => {
		const response = { outcome: { outcome: "selected" as const, optionId: "yes" } };
		expect(auditEvent({ request, response, by: "policy", rule: "allow[0]", at: 1_000 })).toEqual({
			jsonrpc: "2.0",
			method: "_sandboxagent/permission_decision",
			params: {
				permissionRequestId: "question-1",
				decision: "allow",
				by: "policy",
				rule: "allow[0]",
				optionId: "yes",
				kind: "allow_once",
				at: 1_000,
			},
		});
	});

	it("reads the decision from the choice that was made", () => {
		expect(paramsOf("ever")).toMatchObject({ decision: "allow", kind: "allow_always", by: "listener" });
		expect(paramsOf("no")).toMatchObject({ decision: "deny", kind: "reject_once" });
		expect(paramsOf("maybe", "client")).toEqual({
			permissionRequestId: "question-1",
			decision: "unknown",
			by: "client",
			optionId: "maybe",
			at: 5,
		});
		expect(paramsOf(undefined, "timeout")).toEqual({
			permissionRequestId: "question-1",
			decision: "cancelled",
			by: "timeout",
			at: 5,
		});
	});
});
