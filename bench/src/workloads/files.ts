import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { HttpConnection } from "../client/http-connection.ts";
import { type Transferred, transfer } from "../client/transfer.ts";
import { quantile } from "../report/statistics.ts";
import { ServerProcess } from "../server/server-process.ts";
import type { Round, Workload } from "./workload.ts";

const LARGE_MEGABYTES = 100;
const LARGE_BYTES = LARGE_MEGABYTES * 1024 * 1024;
const SMALL_BYTES = 1024;
const SMALL_FILES = 1_000;
const ENTRIES = 10_000;
const ARCHIVE_FILES = 2_000;

/** A server whose working directory the workload can reach, and what it has loaded for files is loaded. */
async function withFiles(
	{ contestant, workspace, signal }: Round,
	work: (server: ServerProcess, directory: string) => Promise<void>,
): Promise<void> {
	const home = workspace.newHome();
	try {
		await using server = await ServerProcess.start(contestant, workspace, signal, home);
		const path = `/v1/fs/file?path=${encodeURIComponent(join(home.directory, "warm"))}`;
		const body = { type: "application/octet-stream", bytes: Buffer.alloc(SMALL_BYTES) };
		assertOk(await transfer(server.address, { method: "PUT", path, body, signal }));
		assertOk(await transfer(server.address, { method: "GET", path, signal }));
		await work(server, home.directory);
	} finally {
		workspace.removeHome(home);
	}
}

function assertOk({ status }: Transferred): void {
	if (status !== 200) throw new Error(`the request was answered with status ${status}`);
}

function fileUrl(directory: string, name: string): string {
	return `/v1/fs/file?path=${encodeURIComponent(join(directory, name))}`;
}

function recordGrowth(round: Round, server: ServerProcess, before: number | undefined): void {
	const after = server.peakMegabytes();
	round.record("growth", before === undefined || after === undefined ? undefined : Math.max(0, after - before));
}

export const download: Workload = {
	name: "download",
	title: `a file of ${LARGE_MEGABYTES} MB comes down, twice`,
	metrics: [
		{ key: "rate", label: "MB per second", unit: "/s", target: { kind: "ratio", direction: "at-least", limit: 1 } },
		{
			key: "first",
			label: "until the first byte",
			unit: "ms",
			target: { kind: "ratio", direction: "at-most", limit: 0.2 },
		},
		{
			key: "growth",
			label: "growth of memory",
			unit: "MB",
			target: { kind: "value", direction: "at-most", limit: 10 },
		},
	],
	contestants: ["ours", "original"],
	rounds: 3,
	capMs: 30_000,
	round: (round) =>
		withFiles(round, async (server, directory) => {
			const { signal } = round;
			writeFileSync(join(directory, "large"), Buffer.alloc(LARGE_BYTES, 7));
			const before = server.peakMegabytes();
			const answers: Transferred[] = [];
			for (const _ of [1, 2]) {
				const answer = await transfer(server.address, { method: "GET", path: fileUrl(directory, "large"), signal });
				assertOk(answer);
				if (answer.bytes !== LARGE_BYTES) throw new Error(`${answer.bytes} bytes came`);
				answers.push(answer);
			}
			round.record("rate", LARGE_MEGABYTES / (Math.min(...answers.map(({ ms }) => ms)) / 1000));
			round.record("first", Math.min(...answers.map(({ firstMs }) => firstMs)));
			recordGrowth(round, server, before);
		}),
};

export const upload: Workload = {
	name: "upload",
	title: `a file of ${LARGE_MEGABYTES} MB goes up, twice; the original refuses it`,
	metrics: [
		{ key: "rate", label: "MB per second", unit: "/s" },
		{
			key: "growth",
			label: "growth of memory",
			unit: "MB",
			target: { kind: "value", direction: "at-most", limit: 10 },
		},
	],
	contestants: ["ours", "original"],
	rounds: 3,
	capMs: 30_000,
	round: (round) =>
		withFiles(round, async (server, directory) => {
			const { signal } = round;
			const body = { type: "application/octet-stream", bytes: Buffer.alloc(LARGE_BYTES, 7) };
			const before = server.peakMegabytes();
			const times: number[] = [];
			for (const _ of [1, 2]) {
				const answer = await transfer(server.address, {
					method: "PUT",
					path: fileUrl(directory, "large"),
					body,
					signal,
				});
				assertOk(answer);
				times.push(answer.ms);
			}
			round.record("rate", LARGE_MEGABYTES / (Math.min(...times) / 1000));
			recordGrowth(round, server, before);
		}),
};

export const smallFiles: Workload = {
	name: "small-files",
	title: `${SMALL_FILES} files of 1 KB are written, and read, one after the other on one connection`,
	metrics: [
		{ key: "reads", label: "reads", unit: "/s", target: { kind: "ratio", direction: "at-least", limit: 0.5 } },
		{ key: "writes", label: "writes", unit: "/s", target: { kind: "ratio", direction: "at-least", limit: 0.5 } },
		{ key: "read", label: "read p50", unit: "µs" },
		{ key: "write", label: "write p50", unit: "µs" },
	],
	contestants: ["ours", "original"],
	rounds: 3,
	capMs: 30_000,
	round: (round) =>
		withFiles(round, async (server, directory) => {
			const connection = await HttpConnection.open(server.address.port, server.address.token);
			try {
				const body = "x".repeat(SMALL_BYTES);
				const run = async (method: string, options: { body?: string }) => {
					const samples: number[] = [];
					for (let index = 0; index < SMALL_FILES; index++) {
						const begin = performance.now();
						const path = fileUrl(directory, `small-${index}`);
						const answer = await connection.request(method, path, { ...options, signal: round.signal });
						if (answer.status !== 200) throw new Error(`${method} was answered with status ${answer.status}`);
						samples.push((performance.now() - begin) * 1000);
					}
					return samples;
				};
				const rate = (samples: number[]) => samples.length / (samples.reduce((sum, value) => sum + value, 0) / 1e6);
				const writes = await run("PUT", { body });
				const reads = await run("GET", {});
				round.record("writes", rate(writes));
				round.record("reads", rate(reads));
				round.record("write", quantile(writes, 0.5));
				round.record("read", quantile(reads, 0.5));
			} finally {
				connection.close();
			}
		}),
};

export const listing: Workload = {
	name: "listing",
	title: `a directory of ${ENTRIES} entries is listed, five times`,
	metrics: [
		{ key: "ms", label: "best of five", unit: "ms", target: { kind: "ratio", direction: "at-most", limit: 2 } },
	],
	contestants: ["ours", "original"],
	rounds: 3,
	capMs: 30_000,
	round: (round) =>
		withFiles(round, async (server, directory) => {
			const folder = join(directory, "many");
			mkdirSync(folder);
			for (let index = 0; index < ENTRIES; index++) writeFileSync(join(folder, `entry-${index}`), "");
			const times: number[] = [];
			for (let run = 0; run < 5; run++) {
				const path = `/v1/fs/entries?path=${encodeURIComponent(folder)}`;
				const answer = await transfer(server.address, { method: "GET", path, signal: round.signal });
				assertOk(answer);
				times.push(answer.ms);
			}
			round.record("ms", Math.min(...times));
		}),
};

export const archive: Workload = {
	name: "archive",
	title: `a tar archive of ${ARCHIVE_FILES} files of 200 bytes is unpacked, three times`,
	metrics: [
		{ key: "ms", label: "best of three", unit: "ms", target: { kind: "ratio", direction: "at-most", limit: 1 } },
	],
	contestants: ["ours", "original"],
	rounds: 3,
	capMs: 30_000,
	round: (round) =>
		withFiles(round, async (server, directory) => {
			const folder = join(directory, "source");
			for (let index = 0; index < ARCHIVE_FILES; index++) {
				const group = join(folder, `group-${index % 20}`);
				mkdirSync(group, { recursive: true });
				writeFileSync(join(group, `file-${index}`), "x".repeat(200));
			}
			// Without padding to whole records: 2,000 files are under the 2 MiB that the original takes.
			execFileSync("tar", ["-C", folder, "-b", "1", "-cf", join(directory, "archive.tar"), "."]);
			const body = { type: "application/x-tar", bytes: readFileSync(join(directory, "archive.tar")) };
			const times: number[] = [];
			for (let run = 0; run < 3; run++) {
				const path = `/v1/fs/upload-batch?path=${encodeURIComponent(join(directory, `target-${run}`))}`;
				const answer = await transfer(server.address, { method: "POST", path, body, signal: round.signal });
				assertOk(answer);
				times.push(answer.ms);
			}
			round.record("ms", Math.min(...times));
		}),
};
