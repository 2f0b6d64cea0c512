import { describe, expect, it } from "vitest";
import { isPassing, storeFailure } from "../../src/persist/postgres/failures.ts";
import { PostgresSessionPersistDriver } from "../../src/persist/postgres.ts";

describe("PostgresSessionPersistDriver", () => {
	it.each(["", "1st", "with space", 'quo"te', "a.b", "ä", "x; DROP TABLE y"])(
		"refuses the schema name %j",
		(schema) => {
			expect(() => new PostgresSessionPersistDriver({ schema })).toThrow("must consist of letters, digits");
		},
	);

	it("opens nothing before it is used", async () => {
		const driver = new PostgresSessionPersistDriver({ connectionString: "postgres://127.0.0.1:1/none" });
		await driver.close();
		const closed = { code: "store_failed", retryable: false };
		await expect(driver.getSession("s")).rejects.toMatchObject(closed);
		await expect(driver.watch(() => undefined)).rejects.toMatchObject(closed);
	});
});

function failure(message: string, code?: string): Error {
	return Object.assign(new Error(message), code === undefined ? {} : { code });
}

describe("a failure", () => {
	it.each(["08006", "57P01", "57P03", "ECONNRESET", "ECONNREFUSED", "40001", "40P01"])("%s is passing", (code) => {
		expect(isPassing(failure("no", code))).toBe(true);
	});

	it.each(["42P01", "25006", "23505", "53300", "57014", "ENOTFOUND"])("%s is not", (code) => {
		expect(isPassing(failure("no", code))).toBe(false);
	});

	it("of a broken connection has no code", () => {
		expect(isPassing(failure("Connection terminated unexpectedly"))).toBe(true);
		expect(isPassing(failure("Connection terminated due to connection timeout"))).toBe(false);
		expect(isPassing(failure("timeout exceeded when trying to connect"))).toBe(false);
	});

	it("becomes one of the store, without what is secret", () => {
		const cause = failure("no entry for postgres://me:pass@host/db", "28000");
		const error = storeFailure(cause, ["postgres://me:pass@host/db", "pass"]);
		expect(error).toMatchObject({ code: "store_failed", cause });
		expect(error.message).toBe("Store Failed: PostgreSQL: no entry for [redacted] (28000)");
	});
});
