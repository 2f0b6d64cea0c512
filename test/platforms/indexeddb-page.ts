// What runs in the browser to try the store of sessions that lives there.
import { persistConformance } from "@sandbox-agent/core/conformance/persist";
import { SandboxAgentError } from "@sandbox-agent/core/errors";
import type { DurableSessionDriver, SessionEvent, SessionRecord } from "@sandbox-agent/core/session";
import { SandboxAgent } from "sandbox-agent";
import { IndexedDbSessionPersistDriver } from "sandbox-agent/persist/indexeddb";

/** How a call came out, in a form that can be handed out of a page. */
export interface Outcome {
	value?: unknown;
	code?: string;
	message?: string;
	/** Name of the platform's own error behind it. */
	cause?: string;
}

export interface StorePageFunctions {
	/** Runs a case of the conformance suite. */
	conforms(name: string): Promise<void>;
	/** A driver of a database by this name; the same one each time, until it is closed. */
	driver(name: string, databaseVersion?: number): DurableSessionDriver;
	outcome(work: Promise<unknown>): Promise<Outcome>;
	/** Sends a prompt in a session that is kept in the database by this name; returns the states of its turns. */
	prompt(server: { baseUrl: string; token: string }, name: string, text: string): Promise<string[]>;
	/** Makes a database as earlier versions did, and lets go of it only when asked to. */
	makeEarlier(name: string, sessions: SessionRecord[], events: SessionEvent[]): Promise<void>;
	letGo(name: string): void;
	/** Keeps what a driver tells about changes. */
	watch(name: string): Promise<void>;
	changes: { sessionId: string; kind: string }[];
}

let made = 0;
const names = new WeakMap<DurableSessionDriver, string>();

async function openAs(databaseName: string): Promise<DurableSessionDriver> {
	const driver = new IndexedDbSessionPersistDriver({ databaseName });
	names.set(driver, databaseName);
	return driver;
}

const openAgain = (driver: DurableSessionDriver) => openAs(names.get(driver) ?? "");

const cases = persistConformance({
	open: () => openAs(`conformance-${++made}`),
	reopen: openAgain,
	second: openAgain,
	features: { leases: true, watch: true, capsules: true },
});

const drivers = new Map<string, DurableSessionDriver>();
const earlier = new Map<string, IDBDatabase>();

const functions: StorePageFunctions = {
	async conforms(name) {
		const found = cases.find((each) => each.name === name);
		if (!found) throw new Error(`there is no case '${name}'`);
		await found.run();
	},
	driver(name, databaseVersion) {
		const driver = drivers.get(name) ?? new IndexedDbSessionPersistDriver({ databaseName: name, databaseVersion });
		drivers.set(name, driver);
		return driver;
	},
	async outcome(work) {
		try {
			return { value: await work };
		} catch (error) {
			if (!SandboxAgentError.isInstance(error)) return { message: String(error) };
			const { code, message, cause } = error;
			return { code, message, ...(cause instanceof Error ? { cause: cause.name } : {}) };
		}
	},
	async prompt(server, name, text) {
		const persist = functions.driver(name);
		const client = await SandboxAgent.connect({ ...server, persist });
		try {
			const session = await client.resumeOrCreateSession({ id: "conversation", agent: "mock" });
			await session.prompt(text);
			const { items } = await persist.listTurns({ sessionId: session.id });
			return items.map(({ state }) => state);
		} finally {
			await client.dispose();
		}
	},
	async makeEarlier(name, sessions, events) {
		const request = indexedDB.open(name, 2);
		request.onupgradeneeded = () => {
			request.result.createObjectStore("sessions", { keyPath: "id" });
			const store = request.result.createObjectStore("events", { keyPath: "id" });
			store.createIndex("by_session_index", ["sessionId", "eventIndex", "id"], { unique: false });
		};
		const database = await new Promise<IDBDatabase>((resolve, reject) => {
			request.onsuccess = () => resolve(request.result);
			request.onerror = () => reject(request.error);
		});
		const transaction = database.transaction(["sessions", "events"], "readwrite");
		for (const session of sessions) transaction.objectStore("sessions").put(session);
		for (const event of events) transaction.objectStore("events").put(event);
		await new Promise<void>((resolve, reject) => {
			transaction.oncomplete = () => resolve();
			transaction.onabort = () => reject(transaction.error);
		});
		earlier.set(name, database);
	},
	letGo(name) {
		earlier.get(name)?.close();
	},
	async watch(name) {
		await functions.driver(name).watch?.((change) => functions.changes.push(change));
	},
	changes: [],
};

Object.assign(globalThis, { inPage: functions });
