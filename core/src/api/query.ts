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

/** An integer of a query string that is not negative, in digits. Callers may pass a number, which the client writes out. */
export function queryInteger() {
	return z.pipe(
		z.union([z.string().check(z.regex(/^\d{1,15}$/)), z.int().check(z.nonnegative())], {
			error: "expected an integer that is not negative",
		}),
		z.transform(Number),
	);
}
