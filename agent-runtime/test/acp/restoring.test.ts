import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AcpRegistry } from "../../src/acp/registry.ts";
import { EventLog } from "../../src/log/index.ts";

let state: string;
const faults: unknown[] = [];

beforeEach(() => {
	state = mkdtempSync(join(tmpdir(), "sandbox-agent-test-"));
	faults.length = 0;
});

afterEach(() => {
	rmSync(state, { recursive: true, force: true });
});

/** The folder of a connection as a server leaves it. */
function leave(name: string, text: string, createdAtMs: number, recordFile = "connection.json"): void {
	const folder = join(state, "connections", name);
	mkdirSync(folder, { recursive: true });
	const record = { serverId: "c", agent: "mock", createdAtMs, generation: 1, alive: false };
	writeFileSync(join(folder, recordFile), JSON.stringify(record));
	const log = EventLog.open({ directory: join(folder, "log") });
	log.append([{ kind: "agent", generation: 1, data: Buffer.from(text) }]);
	log.closeBlocking();
}

async function restore(): Promise<{ kept: string[]; archived: string[]; served: string | undefined }> {
	const registry = new AcpRegistry({
		stateDirectory: state,
		startAgent: () => Promise.reject(new Error("no agent here")),
		onError: (message, error) => faults.push(message, error),
	});
	registry.restore();
	const connection = await registry.find("c", AbortSignal.abort());
	const [record] = [...(connection?.log.scan() ?? [])];
	const served = record && Buffer.from(record.data).toString();
	await registry.close();
	const names = (folder: string) => readdirSync(join(state, folder)).sort();
	return { kept: names("connections"), archived: names("archive"), served };
}

describe("what a killed server leaves behind", () => {
	it("of a closed connection goes to the archive, whatever was done already", async () => {
		const now = Date.now();
		leave("closed", '"closed"', now, "closed.json");
		mkdirSync(join(state, "connections", "begun"));
		mkdirSync(join(state, "connections", "moved"));
		writeFileSync(join(state, "connections", "moved", "requests.jsonl"), "");
		const { kept, archived, served } = await restore();
		expect(kept).toEqual([]);
		expect(archived).toHaveLength(1);
		expect(served).toBeUndefined();
		expect(faults).toEqual([]);
	});

	it("with a record that is garbled goes to the archive, and is reported once", async () => {
		leave("garbled", '"garbled"', Date.now());
		writeFileSync(join(state, "connections", "garbled", "connection.json"), '{"serverId":');
		const { kept, archived } = await restore();
		expect(kept).toEqual([]);
		expect(archived).toHaveLength(1);
		expect(faults).toHaveLength(2);
		faults.length = 0;
		await restore();
		expect(faults).toEqual([]);
	});

	it.each([
		["first", "second"],
		["second", "first"],
	])("of two connections with one id the later one counts (later: %s)", async (later, earlier) => {
		const now = Date.now();
		leave(later, '"the later"', now);
		leave(earlier, '"the earlier"', now - 1000);
		const { kept, archived, served } = await restore();
		expect(served).toBe('"the later"');
		expect(kept).toEqual([later]);
		expect(archived).toHaveLength(1);
		expect(faults).toEqual([]);
	});
});
