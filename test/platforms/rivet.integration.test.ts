import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { NetworkNamespace } from "../namespace/network-namespace.ts";
import { availabilityOf } from "../services/availability.ts";

const PROGRAM = fileURLToPath(new URL("rivet-actor.ts", import.meta.url));
const available = availabilityOf("namespace");

describe.skipIf(!available.available)("sessions in a Rivet actor", { meta: { skipReason: available.reason } }, () => {
	let folder: string;
	let namespace: NetworkNamespace;

	beforeAll(async () => {
		folder = await mkdtemp(join(tmpdir(), "sandbox-agent-rivet-"));
		namespace = await NetworkNamespace.open();
	});

	afterAll(async () => {
		await namespace?.close();
		if (folder) await rm(folder, { recursive: true, force: true });
	});

	/** Has a process with the actor do something, and kills it as soon as it has answered. */
	async function inActor(task: "conformance" | "write" | "read"): Promise<unknown> {
		const child = spawn(
			...namespace.spawnArguments(process.execPath, [
				"--conditions=sandbox-agent-source",
				PROGRAM,
				join(folder, "state"),
				task,
			]),
			{
				stdio: ["ignore", "pipe", "inherit"],
				env: { ...process.env, NODE_OPTIONS: "", HOME: folder },
			},
		);
		const exited = once(child, "exit");
		try {
			for await (const line of createInterface({ input: child.stdout })) return JSON.parse(line);
			throw new Error("the process with the actor has ended without an answer");
		} finally {
			child.kill("SIGKILL");
			await exited;
		}
	}

	it("conform to the contract of stores [sdk-rivet-state]", async () => {
		const result = await inActor("conformance");
		expect(result).toMatchObject({ failures: [] });
	});

	it("are there when a process that was killed right after a write is followed by another [sdk-rivet-saved]", async () => {
		expect(await inActor("write")).toEqual({ events: [{ eventIndex: 1, added: true }] });
		expect(await inActor("read")).toEqual({ agent: "mock", events: ["e"] });
		expect(await inActor("write")).toEqual({ events: [{ eventIndex: 1, added: false }] });
	});
});
