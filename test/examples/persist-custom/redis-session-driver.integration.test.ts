import { persistConformance } from "@sandbox-agent/core/conformance/persist";
import type { DurableSessionDriver } from "@sandbox-agent/core/session";
import { describe, it } from "vitest";
import { RedisSessionDriver } from "../../../examples/persist-custom/redis-session-driver.ts";
import { availabilityOf } from "../../services/availability.ts";

const available = availabilityOf("redis");

describe.skipIf(!available.available)(
	"the driver of the page about drivers",
	{ meta: { skipReason: available.reason } },
	() => {
		const path = process.env.SANDBOX_AGENT_TEST_REDIS ?? "";
		const prefixes = new WeakMap<DurableSessionDriver, string>();
		let made = 0;
		const openAs = async (prefix: string) => {
			const driver = await RedisSessionDriver.open({ redis: { socket: { path, tls: false } }, prefix });
			prefixes.set(driver, prefix);
			return driver;
		};
		const openAgain = (driver: DurableSessionDriver) => openAs(prefixes.get(driver) ?? "");
		const cases = persistConformance({
			open: () => openAs(`store-${++made}:`),
			reopen: openAgain,
			second: openAgain,
			features: { leases: true, watch: true, capsules: false },
		});
		it.each(cases)("$name", ({ run }) => run());
	},
);
