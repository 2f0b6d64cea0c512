import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { SDK_REQUIREMENTS } from "./requirements-sdk.ts";

it("every promise of the SDK is cited by a test, and every citation is a promise", () => {
	const cited = new Set<string>();
	for (const entry of readdirSync(import.meta.dirname, { recursive: true, encoding: "utf8" })) {
		if (!entry.endsWith(".test.ts")) continue;
		const text = readFileSync(join(import.meta.dirname, entry), "utf8");
		for (const [, id] of text.matchAll(/\[(sdk-[\w-]+)\]/g)) cited.add(id ?? "");
	}
	const ids = SDK_REQUIREMENTS.map(({ id }): string => id);
	expect([...cited].sort()).toEqual([...ids].sort());
});
