import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
	graphOf,
	type Import,
	importsOf,
	importsOfFile,
	isBuiltin,
	manifestOf,
	PACKAGES,
	packageOf,
	ROOT,
	resolveSource,
	sourceFiles,
} from "./support/imports.ts";

/** Lines `file -> specifier` for the imports of a folder's files that a rule objects to. */
function offences(folder: string, objects: (found: Import, file: string) => boolean): string[] {
	return sourceFiles(folder).flatMap((file) =>
		importsOfFile(file)
			.filter((found) => objects(found, file))
			.map(({ specifier }) => `${file} -> ${specifier}`),
	);
}

const isOurs = (specifier: string) => Object.hasOwn(PACKAGES, packageOf(specifier) ?? "");

/** Packages that users install themselves, beside a provider. */
const vendors = new Set([
	...Object.keys(manifestOf("providers").peerDependencies ?? {}),
	...Object.keys(manifestOf("sdk").peerDependencies ?? {}),
]);

describe("the reader of imports", () => {
	it("tells values from types and early from late", () => {
		const source = [
			'import { one } from "a";',
			'import type { Two } from "b";',
			'import {\n\ttype Three,\n\tfour,\n} from "c";',
			'export * from "./d.ts";',
			'export type { Five } from "e";',
			'import "f";',
			'const six = await import("g");',
			'type Seven = typeof import("h");',
			'// import "i";',
			'/* import "j"; */',
			'const text = "no import";',
		].join("\n");
		expect(importsOf(source).map(({ specifier, typeOnly, lazy }) => [specifier, typeOnly, lazy])).toEqual([
			["a", false, false],
			["b", true, false],
			["c", false, false],
			["./d.ts", false, false],
			["e", true, false],
			["f", false, false],
			["g", false, true],
			["h", true, true],
		]);
	});

	it("names the package of a specifier", () => {
		expect(packageOf("@scope/name/deep")).toBe("@scope/name");
		expect(packageOf("name/deep")).toBe("name");
		expect(packageOf("node:fs")).toBeUndefined();
		expect(packageOf("fs")).toBeUndefined();
		expect(packageOf("./name.ts")).toBeUndefined();
		expect(packageOf("#platform")).toBeUndefined();
	});

	it("resolves our packages to their sources", () => {
		expect(resolveSource("sdk/src/index.ts", "@sandbox-agent/core/errors")).toBe("core/src/errors/index.ts");
		expect(resolveSource("sdk/src/local.ts", "@sandbox-agent/providers/local")).toBe("providers/src/local.ts");
		expect(resolveSource("sdk/src/index.ts", "#platform")).toBe("sdk/src/platform/web.ts");
		expect(resolveSource("core/src/errors/index.ts", "./codes.ts")).toBe("core/src/errors/codes.ts");
		expect(resolveSource("core/src/index.ts", "zod/mini")).toBeUndefined();
	});
});

describe("core", () => {
	it("imports none of our packages, and of others only zod", () => {
		const allowed = new Set(["zod"]);
		const found = offences("core/src", ({ specifier }) => {
			const name = packageOf(specifier);
			return name !== undefined && !allowed.has(name);
		});
		expect(found).toEqual([]);
	});

	it("has no built-in of Node in the graph of its root entry", () => {
		const { files, outside } = graphOf("core/src/index.ts");
		expect(files.length).toBeGreaterThan(5);
		expect(outside.filter(({ specifier }) => isBuiltin(specifier))).toEqual([]);
	});
});

describe("the siblings", () => {
	it("do not import one another", () => {
		const found = [
			...offences(
				"providers/src",
				({ specifier }) => isOurs(specifier) && !specifier.startsWith("@sandbox-agent/core"),
			),
			...offences(
				"agent-runtime/src",
				({ specifier }) => isOurs(specifier) && !/^@sandbox-agent\/(core|agent-runtime)/.test(specifier),
			),
		];
		expect(found).toEqual([]);
	});

	it("stay inside their own folder with relative paths", () => {
		const found = ["core", "providers", "agent-runtime", "sdk"].flatMap((folder) =>
			offences(`${folder}/src`, ({ specifier }, file) => {
				return specifier.startsWith(".") && !resolveSource(file, specifier)?.startsWith(`${folder}/`);
			}),
		);
		expect(found).toEqual([]);
	});
});

describe("a provider", () => {
	it("does not import another provider", () => {
		const providers = new Set(sourceFiles("providers/src").filter((file) => file.split("/").length === 3));
		const found = offences("providers/src", ({ specifier }, file) => {
			const source = resolveSource(file, specifier);
			return source !== undefined && source !== file && providers.has(source);
		});
		expect(found).toEqual([]);
	});

	it("loads the vendor's package late; only its types may be imported at the top", () => {
		const found = ["core", "providers", "agent-runtime", "sdk"].flatMap((folder) =>
			offences(`${folder}/src`, ({ specifier, typeOnly, lazy }) => {
				return vendors.has(packageOf(specifier) ?? "") && !typeOnly && !lazy;
			}),
		);
		expect(found).toEqual([]);
	});
});

describe("the sdk", () => {
	it("imports providers only where it re-exports them and in its Node platform", () => {
		const found = offences("sdk/src", ({ specifier }, file) => {
			return (
				packageOf(specifier) === "@sandbox-agent/providers" && file !== "sdk/src/platform/node.ts" && !isReExport(file)
			);
		});
		expect(found).toEqual([]);
	});

	it("knows of the runtime only where its file lies", () => {
		const found = offences("sdk/src", ({ specifier }) => {
			return (
				packageOf(specifier) === "@sandbox-agent/agent-runtime" && specifier !== "@sandbox-agent/agent-runtime/artifact"
			);
		});
		expect(found).toEqual([]);
	});

	it("has no built-in of Node in the graph of its root entry", () => {
		const { files, outside } = graphOf("sdk/src/index.ts");
		expect(files.length).toBeGreaterThan(20);
		expect(outside.filter(({ specifier }) => isBuiltin(specifier))).toEqual([]);
	});
});

describe("an example", () => {
	it("imports the public package only, and nothing of another folder", () => {
		const found = offences("examples", ({ specifier }, file) => {
			if (specifier.startsWith(".")) {
				const own = file.split("/").slice(0, 2).join("/");
				return !resolveSource(file, specifier)?.startsWith(`${own}/`);
			}
			return isOurs(specifier) && packageOf(specifier) !== "sandbox-agent";
		});
		expect(found).toEqual([]);
	});
});

/** Whether a file consists of `export … from` statements and comments alone. */
function isReExport(file: string): boolean {
	const code = readFileSync(join(ROOT, file), "utf8")
		.replace(/\/\*[\s\S]*?\*\//g, "")
		.replace(/^\s*\/\/.*$/gm, "")
		.replace(/export\s+(?:type\s+)?(?:\{[^}]*\}|\*)\s+from\s+"[^"]+";?/g, "");
	return code.trim() === "";
}
