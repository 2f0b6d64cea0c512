import { persistConformance } from "@sandbox-agent/core/conformance/persist";
import { InMemorySessionPersistDriver } from "sandbox-agent";
import { describe, it } from "vitest";

const features = { leases: true, watch: true, capsules: true };

describe("the in-memory driver [sdk-persist-conformance]", () => {
	const open = async () => new InMemorySessionPersistDriver({ maxEventsPerSession: 2_000 });
	for (const { name, run } of persistConformance({ open, features })) it(name, run);
});

describe("the in-memory driver with its caps", () => {
	const open = async () => new InMemorySessionPersistDriver({ maxSessions: 60, maxEventsPerSession: 60 });
	for (const { name, run } of persistConformance({ open, features: { ...features, capped: true } })) it(name, run);
});
