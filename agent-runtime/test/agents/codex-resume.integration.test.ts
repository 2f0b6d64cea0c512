import { describe, expect, it } from "vitest";
import { availabilityOf } from "../../../test/services/availability.ts";
import { ResumeChecks } from "./support/resume-checks.ts";

const available = availabilityOf("namespace");

describe.skipIf(!available.available)("Codex, started again", { meta: { skipReason: available.reason } }, () => {
	const checks = new ResumeChecks({
		agent: "codex",
		resumes: true,
		choice: { configId: "mode", value: "workspace-write", kept: false },
		unknownId: "00000000-0000-4000-8000-000000000000",
	});

	it("[agents/resume-killed] loads a session whose process was killed in mid-turn", () => checks.loadsAfterKill());

	it("[agents/resume-ended] resumes a session whose process has ended", () => checks.resumesAfterEnd());

	it("refuses a session that it does not know", () => checks.refusesUnknown());

	it("refuses a session that another process has, until that one is gone", async () => {
		const sessionId = await checks.leaveInMidTurn();
		const [first, second] = await Promise.all([checks.start(), checks.start()]);
		await checks.load(first, sessionId);
		await expect(checks.load(second, sessionId)).rejects.toMatchObject({ data: { reason: "thread_active_writer" } });
		await checks.lab.kill(first);
		await checks.load(second, sessionId);
	});
});
