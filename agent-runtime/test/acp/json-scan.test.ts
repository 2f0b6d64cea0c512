import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isPlainNotification } from "../../src/acp/json-scan.ts";

const scan = (text: string) => isPlainNotification(Buffer.from(text));

/** What the full parser says: valid JSON, an object, and no `id` in it. */
function isNotification(text: string): boolean {
	try {
		const value: unknown = JSON.parse(text);
		return typeof value === "object" && value !== null && !Array.isArray(value) && !("id" in value);
	} catch {
		return false;
	}
}

describe("the scan for notifications", () => {
	it.each([
		'{"jsonrpc":"2.0","method":"session/update","params":{"sessionId":"s","update":{"n":-1.5,"a":[1,{},[]],"t":true}}}',
		"{}",
		'{"a":{"id":1}}',
		'{"a":"\\u00e4\\n\\"","b":null,"c":false}',
		'{"text":"ünïcode 🎉"}',
		'{"a":0,"b":[[[[]]]],"c":{"d":{}}}',
	])("recognises %s", (text) => {
		expect(isNotification(text)).toBe(true);
		expect(scan(text)).toBe(true);
	});

	it.each([
		'{"id":1}',
		'{"a":1,"id":null}',
		'{"\\u0069d":1}',
		"[1]",
		"",
		"{",
		'{"a"}',
		'{"a":}',
		'{"a":1,}',
		'{"a":01}',
		'{"a":1.}',
		'{"a":-}',
		'{"a":tru}',
		'{"a":[1,]}',
		'{"a":[}',
		'{"a":{]}',
		'{"a":"\\x"}',
		'{"a":"\\u12g4"}',
		'{"a":"\t"}',
		'{"a":"open',
		'{"a":1}}',
		'{"a":1}x',
		'{"a":1 "b":2}',
		"{,}",
		'{"a":,}',
		'{"a":[,]}',
	])("says no to %s", (text) => {
		expect(scan(text)).toBe(false);
	});

	it("accepts nothing that the full parser does not, whatever is cut, doubled or flipped", () => {
		const valid = fc.json().map((text) => `{"method":"m","params":${text}}`);
		const damage = fc.tuple(valid, fc.nat(), fc.nat(255), fc.constantFrom("cut", "flip", "double", "none"));
		fc.assert(
			fc.property(damage, ([text, position, byte, kind]) => {
				const bytes = Buffer.from(text);
				const at = position % bytes.length;
				if (kind === "flip") bytes[at] = byte;
				const damaged =
					kind === "cut"
						? bytes.subarray(0, at)
						: kind === "double"
							? Buffer.concat([bytes.subarray(0, at), bytes.subarray(Math.max(0, at - 1))])
							: bytes;
				if (isPlainNotification(damaged)) expect(isNotification(damaged.toString("utf8"))).toBe(true);
			}),
			{ numRuns: 5_000 },
		);
	});

	it("recognises every compact object that needs nothing unusual", () => {
		const value = fc.letrec((tie) => ({
			any: fc.oneof(
				{ maxDepth: 6 },
				fc.string(),
				fc.integer(),
				fc.boolean(),
				fc.constant(null),
				fc.array(tie("any"), { maxLength: 4 }),
				fc.dictionary(fc.string(), tie("any"), { maxKeys: 4 }),
			),
		})).any;
		fc.assert(
			fc.property(value, (params) => {
				const text = JSON.stringify({ jsonrpc: "2.0", method: "m", params });
				expect(scan(text)).toBe(Buffer.byteLength(text) <= 2048);
			}),
			{ numRuns: 2_000 },
		);
	});
});
