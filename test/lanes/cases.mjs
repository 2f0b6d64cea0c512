// The smallest way to run cases on a runtime for which there is no test runner here: one line per case.

/** @type {{ name: string, work: () => Promise<void> }[]} */
const cases = [];

/** Declares a case. @param {string} name @param {() => Promise<void>} work */
export function check(name, work) {
	cases.push({ name, work });
}

/** Runs all cases, one after the other, and sets the exit code. */
export async function runCases() {
	for (const { name, work } of cases) {
		try {
			await work();
			console.log(`ok ${name}`);
		} catch (error) {
			process.exitCode = 1;
			console.log(`not ok ${name}`);
			console.log(String(error?.stack ?? error).replaceAll(/^/gm, "  "));
		}
	}
}
