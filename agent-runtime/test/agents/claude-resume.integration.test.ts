import { describe, it } from "vitest";
import { availabilityOf } from "../../../test/services/availability.ts";
import { ResumeChecks } from "./support/resume-checks.ts";

const available = availabilityOf("namespace");

describe.skipIf(!available.available)("Claude Code, started again", { meta: { skipReason: available.reason } }, () => {
	const checks = new ResumeChecks({
		agent: "claude",
		resumes: true,
		choice: { configId: "model", value: "haiku", kept: true },
		unknownId: "00000000-0000-4000-8000-000000000000",
	});

	it("[agents/resume-killed] loads a session whose process was killed in mid-turn", () => checks.loadsAfterKill());

	it("[agents/resume-ended] resumes a session whose process has ended", () => checks.resumesAfterEnd());

	it("refuses a session that it does not know", () => checks.refusesUnknown());
});
