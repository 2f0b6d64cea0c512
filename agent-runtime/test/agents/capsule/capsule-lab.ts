import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { CapsuleChangesResponse, CapsuleRestoreRequest } from "@sandbox-agent/core/api";
import type { CapsuleFile } from "@sandbox-agent/core/session";
import { afterEach, beforeEach } from "vitest";
import { AgentCapsules } from "../../../src/agents/capsule/agent-capsules.ts";
import type { CapsulePlace } from "../../../src/agents/capsule/capsule-place.ts";
import { readChanges } from "../../../src/agents/capsule/read-changes.ts";

export const SESSION = "0c1d-session";
export const TRANSCRIPT = `projects/work/${SESSION}.jsonl`;
export const RESULT = `projects/work/${SESSION}/results/one.txt`;

/** A stand-in for an agent: it has a transcript, and a folder beside it. */
const FILES = ["projects/*/{session}.jsonl", "projects/*/{session}/**"] as const;

/** The files of a stand-in agent, gone after the test. */
export class CapsuleLab {
	/** May not exist. */
	readonly root: string;
	readonly place: CapsulePlace;
	readonly folder: string;

	constructor() {
		this.folder = realpathSync(mkdtempSync(join(tmpdir(), "capsule-test-")));
		this.root = join(this.folder, "home/.stand-in");
		this.place = { root: this.root, files: FILES, adapterVersion: "stand-in@1.0.0" };
	}

	write(path: string, content: string | Uint8Array): void {
		const file = join(this.root, path);
		mkdirSync(dirname(file), { recursive: true });
		writeFileSync(file, content);
	}

	changes(have: CapsuleFile[] = [], maxBytes?: number): Promise<CapsuleChangesResponse> {
		const request = { sessionId: SESSION, cwd: "/work", have, ...(maxBytes ? { maxBytes } : {}) };
		return readChanges(this.place, request, new AbortController().signal);
	}

	remove(): void {
		rmSync(this.folder, { recursive: true, force: true });
	}
}

/** Gives every test of a file a lab of its own. */
export function useCapsuleLab(): () => CapsuleLab {
	let lab: CapsuleLab | undefined;
	beforeEach(() => {
		lab = new CapsuleLab();
	});
	afterEach(() => lab?.remove());
	return () => {
		if (!lab) throw new Error("there is a lab only in a test");
		return lab;
	};
}

/** What a client has after an answer, by path. */
export function apply(content: Map<string, Buffer>, answer: CapsuleChangesResponse): Map<string, Buffer> {
	for (const { path, offset, data } of answer.chunks) {
		const before = offset === 0 ? Buffer.alloc(0) : (content.get(path) ?? Buffer.alloc(0));
		if (before.byteLength !== offset) throw new Error(`${path}: ${offset} follows ${before.byteLength}`);
		content.set(path, Buffer.concat([before, Buffer.from(data, "base64")]));
	}
	for (const { path, size, tailHash } of answer.files) {
		const has = content.get(path) ?? Buffer.alloc(0);
		if (has.byteLength !== size || hash(has.subarray(-4096)) !== tailHash) throw new Error(`${path} is not as told`);
	}
	return content;
}

export function hash(bytes: Uint8Array): string {
	return createHash("sha256").update(bytes).digest("hex");
}

/** What a capsule says about a file with this content. */
export function fileOf(path: string, content: string | Uint8Array): CapsuleFile {
	const bytes = Buffer.from(content);
	return { path, size: bytes.byteLength, tailHash: hash(bytes.subarray(-4096)) };
}

export function requestOf(files: Record<string, string>): CapsuleRestoreRequest {
	return {
		sessionId: SESSION,
		cwd: "/work",
		adapterVersion: "stand-in@1.0.0",
		files: Object.entries(files).map(([path, content]) => fileOf(path, content)),
	};
}

/** Puts files back the way a client does. */
export async function restore(place: CapsulePlace, files: Record<string, string>): Promise<void> {
	const capsules = new AgentCapsules();
	try {
		const id = await capsules.begin("mock", place, requestOf(files));
		for (const [path, content] of Object.entries(files)) {
			if (content !== "") await capsules.put("mock", id, chunkOf(path, 0, content));
		}
		await capsules.commit("mock", id);
	} finally {
		await capsules.close();
	}
}

export function chunkOf(path: string, offset: number, content: string) {
	return { path, offset, data: Buffer.from(content).toString("base64") };
}

/** Everything below a folder: files with their content, folders, links. */
export function treeOf(folder: string): Record<string, string> {
	const tree: Record<string, string> = {};
	for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
		const path = join(entry.parentPath, entry.name);
		const name = path.slice(folder.length + 1);
		tree[name] = entry.isFile() ? readFileSync(path, "utf8") : entry.isDirectory() ? "folder" : "other";
	}
	return tree;
}
