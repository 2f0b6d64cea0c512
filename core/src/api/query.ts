import * as z from "zod/mini";

/**
 * A boolean of a query string: exactly `true` or `false`. Callers may pass a boolean, which the client writes out.
 */
export function queryBoolean() {
	return z.pipe(
		z.union([z.literal("true"), z.literal("false"), z.boolean()], {
			error: "expected `true` or `false`",
		}),
		z.transform((value) => value === true || value === "true"),
	);
}
