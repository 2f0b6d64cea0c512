import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { CapsuleChunk, CapsuleStore, SessionRecord } from "@sandbox-agent/core/session";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { HttpClient } from "../../src/http/client.ts";
import { ServerLink } from "../../src/http/server-link.ts";
import { InMemorySessionPersistDriver } from "../../src/persist/memory.ts";
import { type CapsuleOptions, SessionCapsules } from "../../src/sessions/capsules.ts";
import { RuntimeServer } from "../support/runtime-server.ts";

const KEY = Uint8Array.from({ length: 32 }, (_, index) => index);
const OTHER_KEY = KEY.map((byte) => byte + 1);
const MIB = 1024 * 1024;

let here: RuntimeServer;
let there: RuntimeServer;
let driver: InMemorySessionPersistDriver;
let store: CapsuleStore;
let record: SessionRecord;
let sessions = 0;

beforeAll(async () => {
	[here, there] = await Promise.all([RuntimeServer.start(), RuntimeServer.start()]);
	for (const server of [here, there]) putAgent(server, "1.0.0");
});

afterAll(async () => {
	await Promise.all([here?.[Symbol.asyncDispose](), there?.[Symbol.asyncDispose]()]);
});

beforeEach(() => {
	driver = new InMemorySessionPersistDriver();
	store = driver.capsules;
	sessions++;
	record = {
		id: `session-${sessions}`,
		agent: "pi",
		agentSessionId: `agent-session-${sessions}`,
		lastConnectionId: "connection",
		createdAt: 1,
		sessionInit: { cwd: "/work", mcpServers: [] },
	};
});

/** Puts a stand-in in the place of an agent: it tells its version, its files are written by the tests. */
function putAgent(server: RuntimeServer, version: string): void {
	const launcher = join(server.home, ".local/share/sandbox-agent/bin/agent_processes/pi-acp");
	mkdirSync(dirname(launcher), { recursive: true });
	rmSync(launcher, { force: true });
	writeFileSync(launcher, `#!/bin/sh\necho ${version}\n`);
	chmodSync(launcher, 0o755);
}

function root(server: RuntimeServer): string {
	return join(server.home, ".pi/agent");
}

/** Path of the session's transcript in a capsule. */
function transcript(): string {
	return `sessions/--work--/2026_${record.agentSessionId}.jsonl`;
}

function write(text: string | Uint8Array, flag: "w" | "a" = "w", path = transcript()): void {
	const file = join(root(here), path);
	mkdirSync(dirname(file), { recursive: true });
	writeFileSync(file, text, { flag });
}

function httpOf(target: { url: string; token?: string }, fetch?: typeof globalThis.fetch): HttpClient {
	const endpoint = async () => ({ url: target.url, ...(target.token ? { token: target.token } : {}) });
	return new HttpClient(new ServerLink({ target: { endpoint }, fetch, report: () => undefined }));
}

function capsules(server: RuntimeServer, options: CapsuleOptions = {}): SessionCapsules {
	return new SessionCapsules({ http: httpOf(server), store, ...options });
}

/** A server of an earlier version, whose routes end before these. */
function earlier(): HttpClient {
	const problem = { type: "urn:sandbox-agent:error:invalid_request", title: "Not Found", status: 404 };
	return httpOf(here, async () => Response.json(problem, { status: 404 }));
}

/** A session as a restore names it. */
function target() {
	const { id: sessionId, agent, agentSessionId } = record;
	return { sessionId, agent, agentSessionId, cwd: "/work" };
}

async function chunks(): Promise<CapsuleChunk[]> {
	const list: CapsuleChunk[] = [];
	for await (const chunk of store.chunks(record.id)) list.push(chunk);
	return list;
}

/** What has been put back. */
function restored(path = transcript()): string | undefined {
	const file = join(root(there), path);
	return existsSync(file) ? readFileSync(file, "utf8") : undefined;
}

/** Nothing of the session, and nothing of its restore. */
function expectNothingRestored(): void {
	const names = existsSync(root(there)) ? readdirSync(root(there), { recursive: true, encoding: "utf8" }) : [];
	expect(names.filter((name) => name.includes(record.agentSessionId) || name.startsWith("."))).toEqual([]);
}

describe("a capture", () => {
	it("stores everything once, and then what was added [sdk-capsule-deltas]", async () => {
		write("one\n");
		const first = await capsules(here).capture({ record });
		expect(first).toMatchObject({
			version: 1,
			agent: "pi",
			agentSessionId: record.agentSessionId,
			adapterVersion: "local:pi@1.0.0",
			cwd: "/work",
			files: [{ path: transcript(), size: 4 }],
			encrypted: false,
		});
		expect(await store.manifest(record.id)).toEqual(first);
		write("two\n", "a");
		await capsules(here).capture({ record });
		expect((await chunks()).map(({ offset, data }) => [offset, Buffer.from(data).toString()])).toEqual([
			[0, "one\n"],
			[4, "two\n"],
		]);
	});

	it("writes nothing when nothing was added", async () => {
		write("one\n");
		const writes: unknown[] = [];
		const counting: CapsuleStore = {
			manifest: (id) => store.manifest(id),
			chunks: (id) => store.chunks(id),
			delete: (id) => store.delete(id),
			write: async (given) => {
				writes.push(given);
				await store.write(given);
			},
		};
		const http = httpOf(here);
		const first = await new SessionCapsules({ http, store: counting }).capture({ record });
		expect(await new SessionCapsules({ http, store: counting }).capture({ record })).toEqual(first);
		expect(writes).toHaveLength(1);
	});

	it("replaces what was rewritten, and lets go of what is gone [sdk-capsule-deltas]", async () => {
		const other = `sessions/--other--/2027_${record.agentSessionId}.jsonl`;
		write("one\ntwo\n");
		write("other\n", "w", other);
		await capsules(here).capture({ record });
		write("ONE\n");
		rmSync(join(root(here), other));
		expect(await capsules(here).capture({ record })).toMatchObject({ files: [{ path: transcript(), size: 4 }] });
		expect((await chunks()).map(({ path, data }) => [path, Buffer.from(data).toString()])).toEqual([
			[other, ""],
			[transcript(), "ONE\n"],
		]);
	});

	it("takes a session of several answers at once", async () => {
		write(Buffer.alloc(9 * MIB, "0123456789abcde\n"));
		await capsules(here).capture({ record });
		const sizes = (await chunks()).map(({ data }) => data.length);
		expect(sizes).toEqual(Array.from({ length: 9 }, () => MIB));
	});

	it("of a session over the limit fails and keeps the capsule that is there", async () => {
		write("one\n");
		const first = await capsules(here, { maxBytes: 10 }).capture({ record });
		write("and much more\n", "a");
		await expect(capsules(here, { maxBytes: 10 }).capture({ record })).rejects.toMatchObject({
			code: "capsule_too_large",
		});
		expect(await store.manifest(record.id)).toEqual(first);
	});

	it("is nothing without files, without an agent that has any, and with a server of an earlier version", async () => {
		expect(await capsules(here).capture({ record })).toBeUndefined();
		expect(await capsules(here).capture({ record: { ...record, agent: "mock" } })).toBeUndefined();
		expect(await new SessionCapsules({ http: earlier(), store }).capture({ record })).toBeUndefined();
		expect(await store.manifest(record.id)).toBeUndefined();
		write("one\n");
		const kept = await capsules(here).capture({ record });
		rmSync(join(root(here), transcript()));
		expect(await capsules(here).capture({ record })).toBeUndefined();
		expect(await store.manifest(record.id)).toEqual(kept);
	});

	it("under an older fence is refused", async () => {
		write("one\n");
		const { id: sessionId } = record;
		const lease = await driver.leases.acquire({ sessionId, owner: "a", ttlMs: 60_000 });
		await driver.leases.acquire({ sessionId, owner: "b", ttlMs: 60_000, force: true });
		const fence = lease.acquired ? lease.lease.fence : 0;
		await expect(capsules(here).capture({ record, fence })).rejects.toMatchObject({ code: "lease_lost" });
		expect(await store.manifest(sessionId)).toBeUndefined();
	});

	it.each([
		["a hole", { chunks: [{ path: "a", offset: 5, data: "" }], files: [] }],
		["what is no base64", { chunks: [{ path: "a", offset: 0, data: "%" }], files: [] }],
		["less than it says", { chunks: [], files: [{ path: "a", size: 5, tailHash: "" }] }],
		["nothing for ever", { chunks: [], files: [], more: true }],
	])("does not believe a server that sends %s [sdk-capsule-whole]", async (_, answer) => {
		const http = httpOf(here, async () => Response.json({ adapterVersion: "1", more: false, ...answer }));
		await expect(new SessionCapsules({ http, store }).capture({ record })).rejects.toMatchObject({
			code: "capsule_invalid",
		});
		expect(await store.manifest(record.id)).toBeUndefined();
	});

	it("ends when a server sends without end", async () => {
		const data = Buffer.alloc(3000).toString("base64");
		let offset = -3000;
		const http = httpOf(here, async () => {
			offset += 3000;
			const files = [{ path: "a", size: offset + 3000, tailHash: "" }];
			return Response.json({ adapterVersion: "1", more: true, files, chunks: [{ path: "a", offset, data }] });
		});
		await expect(new SessionCapsules({ http, store, maxBytes: 10_000 }).capture({ record })).rejects.toMatchObject({
			code: "capsule_too_large",
		});
	});
});

describe("a restore", () => {
	it("puts the files into another sandbox, after several captures [sdk-capsule-whole]", async () => {
		write(Buffer.alloc(5 * MIB, "0123456789abcde\n"));
		await capsules(here).capture({ record });
		write("one more\n", "a");
		const manifest = await capsules(here).capture({ record });
		expect(await capsules(there).restore(target())).toEqual(manifest);
		expect(restored()).toBe(readFileSync(join(root(here), transcript()), "utf8"));
		// Where it is already, it stays.
		expect(await capsules(there).restore(target())).toEqual(manifest);
		// It goes on from there.
		const file = join(root(there), transcript());
		writeFileSync(file, "and more\n", { flag: "a" });
		await capsules(there).capture({ record });
		expect((await chunks()).at(-1)?.offset).toBe(5 * MIB + 9);
	});

	it("is nothing for a session without a capsule", async () => {
		expect(await capsules(there).restore(target())).toBeUndefined();
	});

	it("is for the same session, place and version alone [sdk-capsule-mismatch]", async () => {
		write("one\n");
		await capsules(here).capture({ record });
		for (const other of [{ cwd: "/elsewhere" }, { agent: "codex" }, { agentSessionId: "another" }]) {
			await expect(capsules(there).restore({ ...target(), ...other })).rejects.toMatchObject({
				code: "capsule_mismatch",
				message: expect.stringContaining(JSON.stringify(Object.values(other)[0])),
			});
		}
		putAgent(there, "1.0.1");
		await expect(capsules(there).restore(target())).rejects.toMatchObject({ code: "capsule_mismatch" });
		putAgent(there, "1.0.0");
		expectNothingRestored();
		await capsules(there).restore(target());
		expect(restored()).toBe("one\n");
	});

	it("does not touch a session that went on there", async () => {
		write("one\n");
		await capsules(here).capture({ record });
		const file = join(root(there), transcript());
		mkdirSync(dirname(file), { recursive: true });
		writeFileSync(file, "one\nand on\n");
		await expect(capsules(there).restore(target())).rejects.toMatchObject({ code: "conflict", status: 409 });
		expect(restored()).toBe("one\nand on\n");
	});

	it("of a capsule with something missing leaves nothing [sdk-capsule-whole]", async () => {
		write("one\n");
		await capsules(here).capture({ record });
		write("two\n", "a");
		await capsules(here).capture({ record });
		const whole = store;
		for (const keep of [0, 4]) {
			store = {
				...whole,
				manifest: (id) => whole.manifest(id),
				async *chunks(id) {
					for await (const chunk of whole.chunks(id)) if (chunk.offset === keep) yield chunk;
				},
			};
			await expect(capsules(there).restore(target())).rejects.toMatchObject({ code: "capsule_invalid" });
			expectNothingRestored();
		}
	});

	it("that is aborted half-way leaves nothing [sdk-capsule-whole]", async () => {
		write("one\n");
		await capsules(here).capture({ record });
		write("two\n", "a");
		await capsules(here).capture({ record });
		const whole = store;
		const abort = new AbortController();
		store = {
			...whole,
			manifest: (id) => whole.manifest(id),
			async *chunks(id) {
				for await (const chunk of whole.chunks(id)) {
					if (chunk.offset > 0) abort.abort(new Error("enough"));
					yield chunk;
				}
			},
		};
		await expect(capsules(there).restore({ ...target(), signal: abort.signal })).rejects.toThrow("enough");
		expectNothingRestored();
	});

	it("says what a server of an earlier version and an agent without capsules cannot", async () => {
		write("one\n");
		await capsules(here).capture({ record });
		const restore = new SessionCapsules({ http: earlier(), store }).restore(target());
		await expect(restore).rejects.toMatchObject({ code: "capability_unsupported" });
		const manifest = await store.manifest(record.id);
		if (!manifest) throw new Error("there is a capsule");
		await store.write({ sessionId: record.id, manifest: { ...manifest, agent: "mock" }, chunks: [] });
		await expect(capsules(there).restore({ ...target(), agent: "mock" })).rejects.toMatchObject({
			code: "capability_unsupported",
		});
	});
});

describe("a capsule with a key", () => {
	/** Changes what the store gives out. */
	function tamper(change: (chunk: CapsuleChunk, all: CapsuleChunk[]) => CapsuleChunk): void {
		const whole = store;
		store = {
			...whole,
			manifest: (id) => whole.manifest(id),
			async *chunks(id) {
				const all: CapsuleChunk[] = [];
				for await (const chunk of whole.chunks(id)) all.push(chunk);
				for (const chunk of all) yield change(chunk, all);
			},
		};
	}

	it("is unreadable in the store, and comes back as it was [sdk-capsule-encrypted]", async () => {
		write("one secret\n");
		const manifest = await capsules(here, { key: KEY }).capture({ record });
		write("two secrets\n", "a");
		await capsules(here, { key: KEY }).capture({ record });
		expect(manifest?.encrypted).toBe(true);
		const stored = Buffer.concat((await chunks()).map(({ data }) => data));
		expect(stored.toString("latin1")).not.toContain("secret");
		await capsules(there, { key: KEY }).restore(target());
		expect(restored()).toBe("one secret\ntwo secrets\n");
	});

	it.each([
		["another key", { key: OTHER_KEY }],
		["no key", {}],
	])("cannot be restored with %s [sdk-capsule-encrypted]", async (_, options) => {
		write("one\n");
		await capsules(here, { key: KEY }).capture({ record });
		const failure = await capsules(there, options)
			.restore(target())
			.catch((error: unknown) => error);
		expect(failure).toMatchObject({ code: "capsule_invalid", message: expect.stringContaining("capsule.key") });
		for (const key of [KEY, OTHER_KEY]) {
			for (const encoding of ["hex", "base64"] as const) {
				expect(String(failure)).not.toContain(Buffer.from(key).toString(encoding));
			}
		}
		expectNothingRestored();
	});

	it.each([
		[
			"changed",
			(chunk: CapsuleChunk) => ({ ...chunk, data: chunk.data.map((byte, at) => (at === 20 ? byte ^ 1 : byte)) }),
		],
		["cut", (chunk: CapsuleChunk) => ({ ...chunk, data: chunk.data.subarray(0, 3) })],
		["exchanged", (chunk: CapsuleChunk, all: CapsuleChunk[]) => ({ ...chunk, data: all[0]?.data ?? chunk.data })],
	])("is refused when a chunk was %s [sdk-capsule-encrypted]", async (_, change) => {
		write("one\n");
		await capsules(here, { key: KEY }).capture({ record });
		write("two\n", "a");
		await capsules(here, { key: KEY }).capture({ record });
		tamper(change);
		await expect(capsules(there, { key: KEY }).restore(target())).rejects.toMatchObject({ code: "capsule_invalid" });
		expectNothingRestored();
	});

	it("cannot be replaced by one without [sdk-capsule-encrypted]", async () => {
		write("one\n");
		await capsules(here).capture({ record });
		const restore = capsules(there, { key: KEY }).restore(target());
		await expect(restore).rejects.toMatchObject({ code: "capsule_invalid", detail: "the capsule is not encrypted" });
	});

	it.each([
		["another key", { key: KEY }, { key: OTHER_KEY }],
		["a key for the first time", {}, { key: KEY }],
		["no key any more", { key: KEY }, {}],
	])("is captured anew with %s [sdk-capsule-encrypted]", async (_, before, after) => {
		write("one\n");
		await capsules(here, before).capture({ record });
		write("two\n", "a");
		await capsules(here, after).capture({ record });
		await capsules(there, after).restore(target());
		expect(restored()).toBe("one\ntwo\n");
	});

	it("must have 32 bytes", () => {
		expect(() => capsules(here, { key: KEY.subarray(1) })).toThrow("capsule.key has 31 bytes, it must have 32");
	});
});
