import type { CapsuleChunk, CapsuleManifest, CapsuleStore, DurableSessionDriver } from "../../session/index.ts";
import { check, equal, rejects } from "./assert.ts";
import { NOW, record } from "./fixtures.ts";
import type { CaseDefinition } from "./subject.ts";

function capsulesOf(driver: DurableSessionDriver): CapsuleStore {
	check(driver.capsules, "the driver takes no capsules");
	return driver.capsules;
}

function manifest(change: Partial<CapsuleManifest> = {}): CapsuleManifest {
	return {
		version: 1,
		agent: "mock",
		agentSessionId: "agent-session",
		adapterVersion: "1.2.3",
		cwd: "/workspace",
		files: [{ path: "a", size: 3, tailHash: "0".repeat(64) }],
		capturedAt: NOW,
		encrypted: false,
		...change,
	};
}

function chunk(path: string, offset: number, ...bytes: number[]): CapsuleChunk {
	return { path, offset, data: Uint8Array.from(bytes) };
}

async function chunksOf(driver: DurableSessionDriver, sessionId = "s"): Promise<CapsuleChunk[]> {
	const chunks: CapsuleChunk[] = [];
	for await (const { path, offset, data } of capsulesOf(driver).chunks(sessionId)) {
		chunks.push({ path, offset, data: new Uint8Array(data) });
	}
	return chunks;
}

export const capsuleCases: readonly CaseDefinition[] = [
	{
		name: "a session without a capsule has none",
		needs: ["capsules"],
		run: async ({ driver }) => {
			equal(await capsulesOf(driver).manifest("s"), undefined, "the manifest");
			equal(await chunksOf(driver), [], "the chunks");
			await capsulesOf(driver).delete("s");
		},
	},
	{
		name: "chunks are added, and listed by path, then offset",
		needs: ["capsules"],
		run: async ({ driver }) => {
			const first = [chunk("b/c", 0, 1, 2), chunk("a", 0, 0, 255), chunk("b", 0)];
			await capsulesOf(driver).write({ sessionId: "s", manifest: manifest(), chunks: first });
			const more = [chunk("a", 10, 4), chunk("a", 2, 3)];
			await capsulesOf(driver).write({ sessionId: "s", manifest: manifest({ capturedAt: NOW + 1 }), chunks: more });
			equal(await capsulesOf(driver).manifest("s"), manifest({ capturedAt: NOW + 1 }), "the manifest");
			const expected = [
				chunk("a", 0, 0, 255),
				chunk("a", 2, 3),
				chunk("a", 10, 4),
				chunk("b", 0),
				chunk("b/c", 0, 1, 2),
			];
			equal(await chunksOf(driver), expected, "the chunks");
			equal(await chunksOf(driver, "other"), [], "the chunks of another session");
		},
	},
	{
		name: "a chunk at offset 0 replaces its file, and no other",
		needs: ["capsules"],
		run: async ({ driver }) => {
			const chunks = [chunk("a", 0, 1), chunk("a", 1, 2), chunk("a", 2, 3), chunk("b", 0, 9)];
			await capsulesOf(driver).write({ sessionId: "s", manifest: manifest(), chunks });
			const again = [chunk("a", 0, 7), chunk("a", 1, 8)];
			await capsulesOf(driver).write({ sessionId: "s", manifest: manifest(), chunks: again });
			equal(await chunksOf(driver), [...again, chunk("b", 0, 9)], "the chunks");
		},
	},
	{
		name: "a chunk of three mebibytes comes back as it was",
		needs: ["capsules"],
		run: async ({ driver }) => {
			const data = Uint8Array.from({ length: 3 * 1024 * 1024 }, (_, index) => (index * 31) % 251);
			await capsulesOf(driver).write({
				sessionId: "s",
				manifest: manifest(),
				chunks: [{ path: "big", offset: 0, data }],
			});
			const [read] = await chunksOf(driver);
			equal([read?.path, read?.offset, read?.data.length], ["big", 0, data.length], "the chunk");
			check(read && data.every((byte, index) => byte === read.data[index]), "the bytes are others");
		},
	},
	{
		name: "chunks are copies",
		needs: ["capsules"],
		run: async ({ driver }) => {
			const given = chunk("a", 0, 1, 2, 3);
			await capsulesOf(driver).write({ sessionId: "s", manifest: manifest(), chunks: [given] });
			given.data.fill(0);
			for await (const read of capsulesOf(driver).chunks("s")) read.data.fill(9);
			equal(await chunksOf(driver), [chunk("a", 0, 1, 2, 3)], "the chunks");
		},
	},
	{
		name: "a capsule can be deleted, and goes with its session",
		needs: ["capsules"],
		run: async ({ driver }) => {
			for (const remove of [() => capsulesOf(driver).delete("s"), () => driver.deleteSession("s")]) {
				await driver.write({ sessionId: "s", record: record("s") });
				await capsulesOf(driver).write({ sessionId: "s", manifest: manifest(), chunks: [chunk("a", 0, 1)] });
				await remove();
				equal(await capsulesOf(driver).manifest("s"), undefined, "the manifest");
				equal(await chunksOf(driver), [], "the chunks");
			}
		},
	},
	{
		name: "a capsule under an older fence is refused and writes nothing",
		needs: ["capsules", "leases"],
		run: async ({ driver }) => {
			const old = await driver.leases?.acquire({ sessionId: "s", owner: "a", ttlMs: 60_000 });
			check(old?.acquired, "the first owner did not get the lease");
			const { fence } = old.lease;
			await capsulesOf(driver).write({ sessionId: "s", manifest: manifest(), chunks: [chunk("a", 0, 1)], fence });
			await driver.leases?.acquire({ sessionId: "s", owner: "b", ttlMs: 60_000, force: true });
			const late = { sessionId: "s", manifest: manifest({ agent: "late" }), chunks: [chunk("a", 0, 2)], fence };
			await rejects(capsulesOf(driver).write(late), "lease_lost", "a capsule under the older fence");
			equal(await capsulesOf(driver).manifest("s"), manifest(), "the manifest");
			equal(await chunksOf(driver), [chunk("a", 0, 1)], "the chunks");
		},
	},
];
