import { describe, it } from "vitest";
import { availabilityOf } from "../../../test/services/availability.ts";
import { ResumeChecks } from "./support/resume-checks.ts";

const available = availabilityOf("namespace");

describe.skipIf(!available.available)("OpenCode, started again", { meta: { skipReason: available.reason } }, () => {
	const checks = new ResumeChecks({
		agent: "opencode",
		resumes: true,
		choice: { configId: "model", value: "scripted/scripted-model-2", kept: true },
		unknownId: "ses_00000000000000000000000000",
	});

	it("[agents/resume-killed] loads a session whose process was killed in mid-turn", () => checks.loadsAfterKill());

	it("[agents/resume-ended] resumes a session whose process has ended", () => checks.resumesAfterEnd());

	it("refuses a session that it does not know", () => checks.refusesUnknown());
});
