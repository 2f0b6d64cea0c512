import { appendFileSync, mkdtempSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { RequestJournal } from "../../src/acp/request-journal.ts";

let directory: string;
let path: string;

beforeEach(() => {
	directory = mkdtempSync(join(tmpdir(), "sandbox-agent-test-"));
	path = join(directory, "requests.jsonl");
});

afterEach(() => {
	rmSync(directory, { recursive: true, force: true });
});

const request = (id: number, key?: string) => {
	const keyed = key === undefined ? {} : { key, sha256: `digest of ${key}` };
	return { generation: 1, id, method: "work", head: 0, state: "sending", ...keyed } as const;
};

function open(write?: (file: number, data: Uint8Array) => number) {
	const faults: unknown[] = [];
	const journal = RequestJournal.open({ path, maxKeys: 10, onError: (error) => faults.push(error), write });
	return { journal, faults };
}

describe("the journal of requests", () => {
	it("knows after a restart what is open and what was answered", () => {
		const { journal } = open();
		const first = journal.accept(request(1, "a"));
		journal.accept(request(2, "b"));
		journal.done(first, 7);
		journal.close();
		const { journal: next } = open();
		expect(next.open().map(({ id }) => id)).toEqual([2]);
		expect(next.findByKey("a")).toMatchObject({ id: 1, reply: 7, state: "done" });
		next.close();
	});

	it("loses nothing of what follows a line that was torn by a crash", () => {
		const { journal } = open();
		journal.accept(request(1, "a"));
		journal.close();
		appendFileSync(path, '{"t":"accept","ent');
		const second = open().journal;
		second.accept(request(2, "b"));
		second.close();
		const { journal: next, faults } = open();
		expect(next.open().map(({ id }) => id)).toEqual([1, 2]);
		expect(faults).toEqual([]);
		next.close();
	});

	it("brings to disk what a full disk refused, once there is room again", () => {
		let room = Number.POSITIVE_INFINITY;
		const { journal, faults } = open((file, data) => {
			if (room === 0) throw Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
			// The last write that fits is cut, as the system does it.
			const written = writeSync(file, data.subarray(0, room));
			room -= written;
			return written;
		});
		journal.accept(request(1, "a"));
		room = 10;
		journal.accept(request(2, "b"));
		journal.accept(request(3, "c"));
		room = Number.POSITIVE_INFINITY;
		journal.accept(request(4, "d"));
		journal.close();
		expect(faults).toHaveLength(1);
		const { journal: next, faults: later } = open();
		expect(next.open().map(({ id }) => id)).toEqual([1, 2, 3, 4]);
		expect(later).toEqual([]);
		next.close();
	});
});
