import { spawn } from "node:child_process";
import { existsSync, mkdtempSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, expect, it } from "vitest";
import { availabilityOf } from "./availability.ts";
import { startPostgres } from "./postgres.mjs";

const service = availabilityOf("postgres");
const MODULE = new URL("./postgres.mjs", import.meta.url).href;

function newFolder(): string {
	return mkdtempSync(join(tmpdir().length > 60 ? "/tmp" : tmpdir(), "postgres-"));
}

/** Resolves when a port refuses connections. */
async function closed(port: number): Promise<void> {
	while (await isOpen(port));
}

function isOpen(port: number): Promise<boolean> {
	return new Promise((resolve) => {
		const socket = connect(port, "127.0.0.1");
		socket.once("connect", () => resolve(true));
		socket.once("error", () => resolve(false));
		socket.once("connect", () => socket.destroy());
	});
}

describe.skipIf(!service.available)("PostgreSQL of the tests", { meta: { skipReason: service.reason } }, () => {
	it("has a password of its own, survives a crash, and leaves nothing behind", async () => {
		const folder = newFolder();
		const server = await startPostgres(folder);
		expect(server.connectionString).toContain(server.password);
		expect(server.password).toMatch(/^[0-9a-f]{32}$/);
		expect(await isOpen(server.port)).toBe(true);
		await server.restart();
		expect(await isOpen(server.port)).toBe(true);
		await server.stop();
		expect(await isOpen(server.port)).toBe(false);
		expect(existsSync(folder)).toBe(false);
	});

	it("ends with the program that started it, also when that is killed", async () => {
		const folder = newFolder();
		const program = `import { startPostgres } from ${JSON.stringify(MODULE)};
			console.log((await startPostgres(${JSON.stringify(folder)})).port);
			setInterval(() => undefined, 60_000);`;
		const child = spawn(process.execPath, ["--input-type=module", "--eval", program], {
			stdio: ["ignore", "pipe", "inherit"],
		});
		const port = await new Promise<number>((resolve) => {
			createInterface({ input: child.stdout }).once("line", (line) => resolve(Number(line)));
		});
		expect(await isOpen(port)).toBe(true);
		child.kill("SIGKILL");
		await closed(port);
		while (existsSync(folder)) await new Promise((resolve) => setImmediate(resolve));
	});
});
