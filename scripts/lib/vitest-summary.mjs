// A vitest reporter that leaves the counts and the reasons of skips in the file named by TEST_SUMMARY_FILE.
import { writeFileSync } from "node:fs";

/** The reason a test gives itself (`context.skip("…")`), or that of its suite (`describe(…, { meta: { skipReason } })`). */
function reasonOf(test) {
	const note = test.result().note ?? test.meta().skipReason;
	for (let suite = test.parent; note === undefined && suite?.type === "suite"; suite = suite.parent) {
		const reason = suite.meta().skipReason;
		if (reason !== undefined) return reason;
	}
	return note;
}

export default class VitestSummary {
	/** @param {readonly import("vitest/node").TestModule[]} modules @param {readonly unknown[]} errors */
	onTestRunEnd(modules, errors) {
		const summary = { passed: 0, failed: 0, skipped: [] };
		// An error outside of any test, or a file that could not be read, is a failure that no test counts.
		summary.failed += errors.length;
		for (const module of modules) {
			summary.failed += module.errors().length;
			for (const test of module.children.allTests()) {
				const { state } = test.result();
				if (state === "passed") summary.passed += 1;
				else if (state === "failed") summary.failed += 1;
				else {
					const name = `${module.relativeModuleId} > ${test.fullName}`;
					summary.skipped.push({ name, reason: reasonOf(test) ?? "no reason stated" });
				}
			}
		}
		writeFileSync(process.env.TEST_SUMMARY_FILE, JSON.stringify(summary));
	}
}
