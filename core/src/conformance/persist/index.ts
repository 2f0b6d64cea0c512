import type { DurableSessionDriver } from "../../session/index.ts";
import type { ConformanceCase } from "../conformance-case.ts";
import { equal } from "./assert.ts";
import { capsuleCases } from "./capsule-cases.ts";
import { deletionCases } from "./deletion-cases.ts";
import { leaseCases } from "./lease-cases.ts";
import { lifetimeCases } from "./lifetime-cases.ts";
import { listCases } from "./list-cases.ts";
import { recordCases } from "./record-cases.ts";
import type { CaseDefinition, PersistSubject } from "./subject.ts";
import { turnCases } from "./turn-cases.ts";
import { watchCases } from "./watch-cases.ts";
import { writeCases } from "./write-cases.ts";

export type { ConformanceCase } from "../conformance-case.ts";
export type { PersistFeatures, PersistSubject } from "./subject.ts";

/**
 * What every store of sessions has to do, as cases to run. Each opens a store of its own and closes its drivers; they
 * can run at the same time, in Node, Bun, browsers and workers.
 *
 * @example
 * const features = { leases: true, watch: true, capsules: true };
 * for (const { name, run } of persistConformance({ open: () => MyDriver.open(), features })) test(name, run);
 */
export function persistConformance(subject: PersistSubject): ConformanceCase[] {
	const { features } = subject;
	const has = {
		leases: features.leases,
		watch: features.watch,
		capsules: features.capsules,
		uncapped: !features.capped,
		reopen: subject.reopen !== undefined,
		second: subject.second !== undefined,
	};
	const definitions: CaseDefinition[] = [
		{
			name: "the driver can what it is said to",
			run: async ({ driver }) => {
				const can = {
					leases: driver.leases !== undefined,
					watch: driver.watch !== undefined,
					capsules: driver.capsules !== undefined,
				};
				equal(can, { leases: has.leases, watch: has.watch, capsules: has.capsules }, "what the driver can");
			},
		},
		...recordCases,
		...listCases,
		...writeCases,
		...turnCases,
		...deletionCases,
		...leaseCases,
		...watchCases,
		...capsuleCases,
		...lifetimeCases,
	];
	return definitions
		.filter(({ needs = [] }) => needs.every((need) => has[need]))
		.map(({ name, run }) => ({ name, run: () => runOn(subject, run) }));
}

async function runOn(subject: PersistSubject, run: CaseDefinition["run"]): Promise<void> {
	const driver = await subject.open();
	const opened: DurableSessionDriver[] = [driver];
	const keep = (another: DurableSessionDriver) => {
		opened.push(another);
		return another;
	};
	try {
		await run({
			driver,
			reopen: async () => {
				await driver.close();
				return subject.reopen ? keep(await subject.reopen(driver)) : driver;
			},
			second: async () => (subject.second ? keep(await subject.second(driver)) : driver),
		});
	} finally {
		for (const each of opened.reverse()) await each.close();
	}
}
