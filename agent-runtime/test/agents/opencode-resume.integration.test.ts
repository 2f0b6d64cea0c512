import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
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

	it("loads in a new home a session that was exported from another and imported there", async () => {
		const { lab } = checks;
		const sessionId = await checks.leaveInMidTurn();
		const exported = await lab.run("opencode", ["export", sessionId]);
		expect(exported).not.toContain("scripted-key");
		const file = join(lab.directory, "session.json");
		writeFileSync(file, exported);
		await lab.run("opencode", ["import", file], { home: "other-home" });
		const client = await checks.start("other-home");
		await checks.load(client, sessionId);
		expect(client.text(sessionId)).toContain("first answer");
		await checks.expectToKnow(client, sessionId);
	});
});
