import { describe, expect, it } from "vitest";
import { CapsuleCipher } from "../../src/sessions/capsule-cipher.ts";

const cipher = new CapsuleCipher(new Uint8Array(32).fill(7));
const PLACE = { sessionId: "s", path: "a/b", offset: 5 };
const PLAIN = new TextEncoder().encode("a secret");

describe("a sealed chunk", () => {
	it("opens at its place [sdk-capsule-encrypted]", async () => {
		expect(await cipher.open(await cipher.seal(PLAIN, PLACE), PLACE)).toEqual(PLAIN);
		const nothing = new Uint8Array();
		expect(await cipher.open(await cipher.seal(nothing, PLACE), PLACE)).toEqual(nothing);
	});

	it.each([{ sessionId: "t" }, { path: "a/c" }, { offset: 6 }])(
		"does not open at %o [sdk-capsule-encrypted]",
		async (other) => {
			expect(await cipher.open(await cipher.seal(PLAIN, PLACE), { ...PLACE, ...other })).toBeUndefined();
		},
	);

	it("is another one each time [sdk-capsule-encrypted]", async () => {
		const [one, other] = [await cipher.seal(PLAIN, PLACE), await cipher.seal(PLAIN, PLACE)];
		expect(one).not.toEqual(other);
		expect(one.length).toBe(PLAIN.length + 28);
	});

	it("does not open when a byte of it differs [sdk-capsule-encrypted]", async () => {
		const sealed = await cipher.seal(PLAIN, PLACE);
		for (let index = 0; index < sealed.length; index++) {
			const changed = sealed.map((byte, at) => (at === index ? byte ^ 1 : byte));
			expect(await cipher.open(changed, PLACE)).toBeUndefined();
		}
	});
});
