import type { FaultProxy } from "../../sdk/test/support/fault-proxy.ts";
import type { Random } from "./random.ts";
import { LEASE_MS, type Scene } from "./scene.ts";

/** Something that goes wrong. */
export interface FaultKind {
	readonly name: string;
	readonly weight: number;
	/** @returns what was done, or nothing when it was not possible now; `undo` ends it */
	readonly act: (scene: Scene, random: Random) => DoneAct | undefined;
}

/** What was done, in words, and how and when it ends. */
export interface DoneAct {
	readonly text: string;
	readonly undo?: { readonly afterMs: number; readonly run: () => Promise<void> | void } | undefined;
}

/** The proxy of one backend, or now and then those of all. */
function someProxies(scene: Scene, random: Random): { proxies: FaultProxy[]; name: string } {
	const one = random.next() < 0.7 ? random.pick(scene.backends) : undefined;
	return one
		? { proxies: [one.proxy], name: one.name }
		: { proxies: scene.backends.map(({ proxy }) => proxy), name: "all" };
}

/** Has proxies answer wrongly for a while. */
function misbehave(
	scene: Scene,
	random: Random,
	fault: "bad-gateway" | "black-hole" | "lose-answer",
	mostMs: number,
): DoneAct {
	const { proxies, name } = someProxies(scene, random);
	const afterMs = random.int(300, mostMs);
	for (const proxy of proxies) {
		proxy.fault = () => fault;
		// Those that are open would go on as they began.
		if (fault !== "lose-answer") proxy.cut();
	}
	const run = () => {
		for (const proxy of proxies) {
			proxy.fault = () => "none";
			proxy.cut();
		}
	};
	return { text: `${name} for ${afterMs} ms`, undo: { afterMs, run } };
}

export const FAULTS: readonly FaultKind[] = [
	{
		name: "server killed",
		weight: 3,
		act: (scene) => {
			if (!scene.server.isRunning) return undefined;
			void scene.server.kill("SIGKILL");
			return { text: "" };
		},
	},
	{
		name: "agent killed",
		weight: 5,
		act: (scene, random) => {
			const pid = random.pick(scene.agents.running);
			if (pid === undefined) return undefined;
			process.kill(pid, "SIGKILL");
			return { text: String(pid) };
		},
	},
	{
		name: "backend killed",
		weight: 5,
		act: (scene, random) => {
			const { working } = scene;
			const backend = random.pick(working);
			if (!backend || working.length < 2) return undefined;
			const dead = backend.kill();
			backend.standing = "down";
			scene.spread(backend);
			const run = async () => {
				await dead;
				await backend.start();
				scene.fill(backend);
			};
			return { text: backend.name, undo: { afterMs: random.int(300, 3_000), run } };
		},
	},
	{
		name: "backend stopped",
		weight: 4,
		act: (scene, random) => {
			const { working } = scene;
			const backend = random.pick(working);
			if (!backend || working.length < 2) return undefined;
			const afterMs = random.int(200, 3 * LEASE_MS);
			backend.signal("SIGSTOP");
			if (afterMs > LEASE_MS) scene.spread(backend);
			const run = () => {
				backend.signal("SIGCONT");
				if (random.next() < 0.5) scene.fill(backend);
			};
			return { text: `${backend.name} for ${afterMs} ms`, undo: { afterMs, run } };
		},
	},
	{
		name: "session seized",
		weight: 3,
		act: (scene, random) => {
			const id = random.pick(scene.ledger.sessionIds);
			const backend = random.pick(scene.working);
			if (id === undefined || !backend || scene.sessionsOf(backend).includes(id)) return undefined;
			scene.give(id, backend, { force: true });
			return { text: `${id} by ${backend.name}` };
		},
	},
	{
		name: "connections cut",
		weight: 5,
		act: (scene, random) => {
			const { proxies, name } = someProxies(scene, random);
			for (const proxy of proxies) proxy.cut();
			return { text: name };
		},
	},
	{
		name: "connections half-open",
		weight: 3,
		act: (scene, random) => {
			const { proxies, name } = someProxies(scene, random);
			for (const proxy of proxies) proxy.freeze();
			return { text: name };
		},
	},
	{ name: "silence", weight: 2, act: (scene, random) => misbehave(scene, random, "black-hole", 3_000) },
	{ name: "502", weight: 3, act: (scene, random) => misbehave(scene, random, "bad-gateway", 5_000) },
	{ name: "answers lost", weight: 3, act: (scene, random) => misbehave(scene, random, "lose-answer", 1_000) },
	{
		name: "database cut",
		weight: 3,
		act: (scene) => {
			if (!scene.store.cut) return undefined;
			scene.store.cut().catch((error: unknown) => scene.note(`the database was not cut: ${String(error)}`));
			return { text: "" };
		},
	},
];
