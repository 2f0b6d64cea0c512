import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { getProviderSpec, type SandboxProvider } from "@sandbox-agent/core/provider";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));
const names = readdirSync(`${root}providers/src`)
	.filter((file) => file.endsWith(".ts"))
	.map((file) => file.slice(0, -".ts".length));

describe.each(names)("the provider %s", (name) => {
	it("is a factory of the same name that touches nothing and carries its spec", async () => {
		const module: Record<string, () => SandboxProvider> = await import(`../src/${name}.ts`);
		const provider = module[name]?.();
		expect(provider?.name).toBe(name);
		expect(provider && getProviderSpec(provider)?.name).toBe(name);
	});

	it("has a test, a page in the documentation, and a way to be imported", () => {
		const tests = readdirSync(`${root}providers/test`);
		expect(tests.filter((file) => file.startsWith(`${name}.`) && file.endsWith(".test.ts"))).not.toEqual([]);
		expect(existsSync(`${root}docs/providers/${name}.md`)).toBe(true);
		expect(readFileSync(`${root}docs/providers/README.md`, "utf8")).toContain(`(${name}.md)`);
		const { exports } = JSON.parse(readFileSync(`${root}sdk/package.json`, "utf8"));
		expect(exports).toHaveProperty([`./${name}`]);
	});
});
