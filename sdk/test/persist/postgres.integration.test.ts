import { persistConformance } from "@sandbox-agent/core/conformance/persist";
import { afterAll, describe, it } from "vitest";
import { availabilityOf } from "../../../test/services/availability.ts";
import { PostgresStores } from "../support/postgres-stores.ts";

const service = availabilityOf("postgres");

describe.skipIf(!service.available)("the store in PostgreSQL", { meta: { skipReason: service.reason } }, () => {
	const stores = new PostgresStores(process.env.SANDBOX_AGENT_TEST_POSTGRES ?? "");
	afterAll(() => stores.dispose());

	describe("does what every store does:", () => {
		const another = async (driver: object) => stores.open({ schema: stores.schemaOf(driver) });
		const cases = persistConformance({
			open: async () => stores.open(),
			reopen: another,
			second: another,
			features: { leases: true, watch: true, capsules: true },
		});
		for (const { name, run } of cases) it(name, run);
	});
});
