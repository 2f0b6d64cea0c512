import fc from "fast-check";
import { v5 } from "uuid";
import { expect, it } from "vitest";
import { UuidNames } from "../../src/acp/uuid-names.ts";

const NAMESPACE = "6ba7b810-9dad-11d1-80b4-00c04fd430c8";

it("ids of names are UUIDs of version 5, whatever came before", () => {
	const names = new UuidNames(NAMESPACE);
	// An example of the standard.
	expect(names.of("www.example.com")).toBe("2ed6657d-e927-568b-95e1-2665a8aea6a2");
	fc.assert(
		fc.property(fc.string({ unit: "grapheme", maxLength: 300 }), (name) => {
			expect(names.of(name)).toBe(v5(name, NAMESPACE));
		}),
	);
});

it("the ends of blocks are no exception", () => {
	const names = new UuidNames(NAMESPACE);
	for (let length = 0; length <= 200; length++) {
		const name = "n".repeat(length);
		expect(names.of(name)).toBe(v5(name, NAMESPACE));
	}
});
