import { spawn } from "node:child_process";
import { mkdtempSync, openSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LineSink } from "../../src/server/line-sink.ts";
import { toLogfmt, toTerminalLine } from "../../src/server/logfmt.ts";
import { Logger } from "../../src/server/logger.ts";

let directory: string;
beforeEach(() => {
	directory = mkdtempSync(join(tmpdir(), "logger-test-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const AT = Date.UTC(2026, 0, 2, 3, 4, 5);

describe("toLogfmt", () => {
	it("quotes what needs it and leaves out what is missing", () => {
		const fields = { addr: "127.0.0.1:1", ms: 2.5, missing: undefined, text: 'a "b"', uri: "/x?a=b", aborted: true };
		expect(toLogfmt({ at: AT, level: "info", message: "two words", fields })).toBe(
			'ts=2026-01-02T03:04:05.000Z level=info target=sandbox_agent message="two words" addr=127.0.0.1:1 ms=2.5 text="a \\"b\\"" uri="/x?a=b" aborted=true',
		);
	});

	it("lets nobody write lines or colours into the log", () => {
		const entry = { at: AT, level: "warn", message: "a\nb\u009b", fields: { uri: "\u001b[31m\nlevel=error" } } as const;
		// The line for terminals has colours of its own.
		const terminalLine = ["0", "2", "33"].reduce(
			(line, colour) => line.replaceAll(`\u001b[${colour}m`, ""),
			toTerminalLine(entry),
		);
		for (const line of [toLogfmt(entry), terminalLine]) {
			// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
			expect(line).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
		}
	});
});

describe("Logger", () => {
	const path = () => join(directory, "out");
	const lines = () => readFileSync(path(), "utf8").split("\n").filter(Boolean);

	it("masks secrets in messages and values", async () => {
		const logger = new Logger({ descriptor: openSync(path(), "w"), terminal: false });
		logger.hide("s3cret-token");
		logger.error("with s3cret-token", { uri: "/?t=s3cret-token", count: 1 });
		await logger.flush();
		expect(lines()).toHaveLength(1);
		expect(lines()[0]).not.toContain("s3cret");
		expect(lines()[0]).toContain("count=1");
	});

	it("does not mask a secret so short that every word would be", async () => {
		const logger = new Logger({ descriptor: openSync(path(), "w"), terminal: false });
		logger.hide("t");
		logger.info("attitude");
		await logger.flush();
		expect(lines()[0]).toContain("attitude");
	});

	it("writes to a file per day when it has a folder, and removes old ones", async () => {
		const files = join(directory, "logs");
		let now = AT;
		const old = join(directory, "logs", "log-12-01-25");
		const logger = new Logger({ descriptor: openSync(path(), "w"), terminal: false, directory: files, now: () => now });
		writeFileSync(old, "old\n");
		utimesSync(old, new Date(AT - 8 * 86_400_000), new Date(AT - 8 * 86_400_000));
		logger.info("one");
		now += 86_400_000;
		logger.announce("info", "two");
		await logger.flush();
		expect(readdirSync(files).sort()).toEqual(["log-01-02-26", "log-01-03-26"]);
		expect(readFileSync(join(files, "log-01-03-26"), "utf8")).toContain("message=two");
		// What the starter must see is said at the terminal too.
		expect(lines().join()).toMatch(/message=two/);
		expect(lines()).toHaveLength(1);
	});
});

describe("LineSink", () => {
	it("keeps the order and writes everything", async () => {
		const sink = new LineSink(openSync(join(directory, "out"), "w"));
		const expected = Array.from({ length: 2000 }, (_, index) => `line ${index}`);
		for (const line of expected) sink.write(line);
		await sink.flush();
		expect(readFileSync(join(directory, "out"), "utf8")).toBe(`${expected.join("\n")}\n`);
	});

	it("drops and counts lines while nobody reads, and never waits", async () => {
		const script = `
			import { LineSink } from ${JSON.stringify(new URL("../../src/server/line-sink.ts", import.meta.url).href)};
			const sink = new LineSink(1);
			let written = 0;
			const fill = () => {
				for (let i = 0; i < 20000; i++) sink.write("x".repeat(100) + written++);
				if (written < 100000) setImmediate(fill);
				else process.stderr.write("done", () => process.kill(process.pid, "SIGKILL"));
			};
			fill();`;
		// Its stdout is a pipe that this test does not read.
		const child = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: ["ignore", "pipe", "pipe"] });
		const said = await new Promise<string>((resolve) => {
			child.stderr.setEncoding("utf8").on("data", resolve);
		});
		expect(said).toBe("done");
		child.stdout.destroy();
	});
});
