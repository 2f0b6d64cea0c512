import {
	lstatSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	realpathSync,
	rmSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { SandboxAgentError } from "@sandbox-agent/core/errors";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseRange } from "../../src/files/byte-range.ts";
import { extractArchive } from "../../src/files/extract-archive.ts";
import { PathResolver } from "../../src/files/path-resolver.ts";
import { archiveOf, type TestEntry } from "./support/archive.ts";

/** A failure prints the seed with which it can be repeated: `FUZZ_SEED=<seed>`. */
const seed = Number(process.env.FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 31));

/** Names that mean something to somebody: of the tree below, of links in it, of what is outside. */
const segment = fc.oneof(
	{
		weight: 6,
		arbitrary: fc.constantFrom(
			"..",
			".",
			"",
			"d",
			"f",
			"out",
			"up",
			"loop",
			"nothing",
			"outside",
			"secret",
			"~",
			"target",
		),
	},
	{ weight: 1, arbitrary: fc.string({ maxLength: 8, unit: "binary" }) },
	{ weight: 1, arbitrary: fc.constantFrom("\uFFFD", "x\0y", "a\nb", "é", "🙂", "x".repeat(300), "-", "*") },
);
const name = fc
	.tuple(
		fc.constantFrom("", "", "/", "//", "./", "../", "~/"),
		fc.array(segment, { maxLength: 5 }),
		fc.constantFrom("", "/"),
	)
	.map(([start, segments, end]) => start + segments.join("/") + end);

/** `target` with links that lead out of it, beside `outside`, which nobody may touch. */
function makeScene() {
	const folder = realpathSync(mkdtempSync(join(tmpdir(), "sandbox-agent-fuzz-")));
	const [target, outside] = [join(folder, "target"), join(folder, "outside")];
	mkdirSync(outside);
	writeFileSync(join(outside, "secret"), "secret");
	const fill = () => {
		rmSync(target, { recursive: true, force: true });
		mkdirSync(join(target, "d"), { recursive: true });
		writeFileSync(join(target, "f"), "f");
		symlinkSync(outside, join(target, "out"));
		symlinkSync("..", join(target, "d", "up"));
		symlinkSync("loop", join(target, "loop"));
		symlinkSync("../outside/new", join(target, "nothing"));
	};
	fill();
	return {
		folder,
		target,
		fill,
		/** Everything that is not in the target, and what is in the one file there. */
		outside: () => ({
			names: readdirSync(folder).concat(readdirSync(outside)).sort(),
			secret: readFileSync(join(outside, "secret"), "utf8"),
			links: lstatSync(join(outside, "secret")).nlink,
		}),
		[Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
	};
}

/** Where a path leads as far as it exists. */
function realBeginning(path: string): string {
	for (let at = path; ; at = dirname(at)) {
		try {
			return realpathSync.native(at);
		} catch {
			if (at === "/") return at;
		}
	}
}

describe(`random input (seed ${seed})`, () => {
	it("60,000 paths: absolute, or refused with a reason; never out of the root [fs/fuzz]", () => {
		using scene = makeScene();
		const free = new PathResolver({ homeDirectory: scene.folder, workingDirectory: scene.target });
		const kept = new PathResolver({ homeDirectory: scene.folder, root: scene.target });
		const property = fc.property(name, fc.constantFrom("follow" as const, "keep" as const), (given, links) => {
			for (const [resolver, isKept] of [
				[free, false],
				[kept, true],
			] as const) {
				let path: string;
				try {
					path = resolver.resolve(given, links);
				} catch (error) {
					expect(SandboxAgentError.isInstance(error)).toBe(true);
					continue;
				}
				expect(path).toMatch(/^\//);
				if (!isKept) continue;
				const real = realBeginning(links === "follow" ? path : dirname(path));
				// The entry itself may be the root: its parent is above it.
				expect(real === scene.target || real.startsWith(`${scene.target}/`) || path === scene.target).toBe(true);
			}
		});
		fc.assert(property, { numRuns: 60_000, seed });
	});

	it("35,000 ranges: inside of the file, or refused [fs/fuzz]", () => {
		const number = fc.oneof(
			fc.nat(20).map(String),
			fc.constantFrom("", "-1", "1e3", "999999999999999", "0x1"),
			fc.string({ maxLength: 3 }),
		);
		const header = fc.oneof(
			fc.string({ maxLength: 12 }),
			fc.tuple(number, number).map(([a, b]) => `bytes=${a}-${b}`),
		);
		const property = fc.property(header, fc.nat(20), (text, size) => {
			try {
				const range = parseRange(text, size);
				if (range) expect(0 <= range.start && range.start < range.end && range.end <= size).toBe(true);
			} catch (error) {
				expect(SandboxAgentError.isInstance(error, "range_not_satisfiable")).toBe(true);
			}
		});
		fc.assert(property, { numRuns: 35_000, seed });
	});

	it("5,000 archives: whatever they say, nothing outside of the target changes [fs/fuzz]", {
		timeout: 120_000,
	}, async () => {
		using scene = makeScene();
		const before = scene.outside();
		const type = fc.constantFrom(
			"file",
			"file",
			"directory",
			"symlink",
			"symlink",
			"link",
			"fifo",
			"character-device",
		) as fc.Arbitrary<TestEntry["type"]>;
		const entry = fc
			.record({ name, linkname: name, type, content: fc.constantFrom("", "x", "x".repeat(600)) })
			.map(
				({ name: given, linkname, type: kind, content }): TestEntry =>
					kind === "file"
						? { name: given, type: kind, content }
						: { name: given, linkname, ...(kind ? { type: kind } : {}) },
			);
		const damage = fc.oneof(
			{ weight: 3, arbitrary: fc.constant(undefined) },
			{ weight: 1, arbitrary: fc.record({ at: fc.nat(4_000), byte: fc.nat(255), cut: fc.nat(5_000) }) },
		);
		const property = fc.asyncProperty(
			fc.array(entry, { minLength: 1, maxLength: 4 }),
			damage,
			fc.boolean(),
			async (entries, harm, zip) => {
				let bytes = await archiveOf(entries).catch(() => Buffer.alloc(1_024));
				if (zip) bytes = gzipSync(bytes);
				if (harm) {
					if (harm.at < bytes.length) bytes[harm.at] = harm.byte;
					bytes = bytes.subarray(0, harm.cut);
				}
				try {
					await extractArchive(scene.target, async (take) => {
						for (let at = 0; at < bytes.length; at += 700) await take(bytes.subarray(at, at + 700));
					});
					scene.fill();
				} catch (error) {
					expect(SandboxAgentError.isInstance(error)).toBe(true);
					expect(readdirSync(scene.target).sort()).toEqual(["d", "f", "loop", "nothing", "out"]);
				}
				expect(scene.outside()).toEqual(before);
			},
		);
		await fc.assert(property, { numRuns: 5_000, seed });
	});
});
