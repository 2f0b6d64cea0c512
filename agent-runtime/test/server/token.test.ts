import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { chooseTokenSource, readToken, TokenFile, tokenFault } from "../../src/server/token.ts";

let directory: string;
beforeEach(() => {
	directory = mkdtempSync(join(tmpdir(), "token-test-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe("where the token comes from", () => {
	it("is the first that was given: flags before the environment, --token before --no-token", () => {
		const all = { token: "a", tokenFile: "f", noToken: true, environmentToken: "e", environmentTokenFile: "ef" };
		expect(chooseTokenSource(all)).toEqual({ kind: "given", token: "a" });
		expect(chooseTokenSource({ ...all, token: undefined })).toEqual({ kind: "file", path: "f" });
		expect(chooseTokenSource({ ...all, token: undefined, tokenFile: undefined })).toEqual({ kind: "none" });
		expect(chooseTokenSource({ environmentToken: "e", environmentTokenFile: "ef" })).toEqual({
			kind: "given",
			token: "e",
		});
		expect(chooseTokenSource({ environmentTokenFile: "ef" })).toEqual({ kind: "file", path: "ef" });
		expect(chooseTokenSource({})).toEqual({ kind: "mint" });
	});

	it("a minted one is long, sendable and never the same", () => {
		const [one, other] = [readToken({ kind: "mint" }), readToken({ kind: "mint" })];
		expect(one).toMatch(/^[\w-]{32}$/);
		expect(one).not.toBe(other);
	});

	it("of a file is its content without the end of the line", () => {
		const path = join(directory, "t");
		writeFileSync(path, "from-file\n");
		expect(readToken({ kind: "file", path })).toBe("from-file");
	});

	it("a file that is missing, empty or unfit is an error that names it", () => {
		const path = join(directory, "t");
		expect(() => readToken({ kind: "file", path })).toThrow(path);
		for (const content of ["", "\n", "two words", "line\nline", "ü"]) {
			writeFileSync(path, content);
			expect(() => readToken({ kind: "file", path }), JSON.stringify(content)).toThrow(path);
		}
	});

	it("has to fit into a header", () => {
		expect(tokenFault("abc-_.~+/=")).toBeUndefined();
		for (const token of ["", " ", "a b", "a\n", "ä", "\u007f"])
			expect(tokenFault(token), JSON.stringify(token)).toBeDefined();
	});
});

describe("TokenFile", () => {
	it("is for its user alone, and gone when removed", () => {
		const path = join(directory, "data", "token-1");
		const file = new TokenFile(path, "abc");
		expect(readFileSync(path, "utf8")).toBe("abc\n");
		expect(statSync(path).mode & 0o777).toBe(0o600);
		file.remove();
		file.remove();
		expect(existsSync(path)).toBe(false);
	});

	it("replaces a readable file without widening its rights", () => {
		const path = join(directory, "token-1");
		writeFileSync(path, "old", { mode: 0o644 });
		new TokenFile(path, "abc");
		expect(statSync(path).mode & 0o777).toBe(0o600);
	});

	it("of another server is left alone", () => {
		const path = join(directory, "token-1");
		const first = new TokenFile(path, "first");
		new TokenFile(path, "second");
		first.remove();
		expect(readFileSync(path, "utf8")).toBe("second\n");
	});
});
