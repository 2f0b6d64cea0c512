// A process with a real actor whose state is kept in a folder. It does one thing and says what came of it in a line.
import { persistConformance } from "@sandbox-agent/core/conformance/persist";
import { actor, createFileSystemDriver, setup } from "rivetkit";
import { RivetSessionPersistDriver } from "sandbox-agent/persist/rivet";

const [folder = "", task = ""] = process.argv.slice(2);

const store = actor({
	state: {},
	actions: {
		/** Runs the conformance suite in the actor, each case under a key of its own. */
		conformance: async (context) => {
			let made = 0;
			const cases = persistConformance({
				open: async () => {
					return new RivetSessionPersistDriver(context, { stateKey: `case-${++made}`, maxEventsPerSession: 2_000 });
				},
				features: { leases: false, watch: false, capsules: false },
			});
			const failures: string[] = [];
			for (const { name, run } of cases) {
				await run().catch((error: unknown) => failures.push(`${name}: ${error}`));
			}
			return { cases: cases.length, failures };
		},
		write: async (context) => {
			const event = { id: "e", sessionId: "s", createdAt: 1, connectionId: "c", sender: "agent" as const, payload: {} };
			const record = { id: "s", agent: "mock", agentSessionId: "a", lastConnectionId: "c", createdAt: 1 };
			return new RivetSessionPersistDriver(context).write({ sessionId: "s", record, events: [event] });
		},
		read: async (context) => {
			const driver = new RivetSessionPersistDriver(context);
			const { items } = await driver.listEvents({ sessionId: "s" });
			return { agent: (await driver.getSession("s"))?.agent, events: items.map(({ id }) => id) };
		},
	},
});

const registry = setup({ use: { store } });
const { client } = registry.start({
	driver: createFileSystemDriver({ path: folder }),
	disableDefaultServer: true,
	noWelcome: true,
	logging: { level: "error" },
});
const handle = client.store.getOrCreate(["one"]);
const tasks = { conformance: () => handle.conformance(), write: () => handle.write(), read: () => handle.read() };
const result = await tasks[task as keyof typeof tasks]();
console.log(JSON.stringify(result));
// The actor stays awake: whoever has started this process ends it.
