import { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { describe, expect, it } from "vitest";
import { Guard, hostName } from "../../src/server/guard.ts";
import { call, problemOf } from "./support/http.ts";
import { AUTHORIZED, exchange, startTestApp, TOKEN } from "./support/test-app.ts";

const DENIED = { status: 403, code: "permission_denied" };
const UNAUTHORIZED = { status: 401, code: "token_invalid" };
const health = (headers: Record<string, string>) => ({ path: "/v1/health", headers: { ...AUTHORIZED, ...headers } });

describe("the host name", () => {
	it("of a server on a loopback address is one of this machine's, whatever the port [guard/foreign-host]", async () => {
		await using app = await startTestApp({ guard: { allowedHosts: ["box.example"] } });
		for (const host of [
			"localhost",
			"localhost:1",
			"app.LOCALHOST",
			"127.0.0.1:80",
			"127.9.9.9",
			"[::1]:5",
			"Box.Example:9",
		]) {
			expect((await call(app.port, health({ host }))).status, host).toBe(200);
		}
		for (const host of [
			"evil.example",
			"localhost.evil.example",
			"10.0.0.1",
			"[::2]",
			"localhost:x",
			"a b",
			"0.0.0.0",
		]) {
			expect(problemOf(await call(app.port, health({ host }))), host).toEqual(DENIED);
		}
	});

	it("is checked before routing, on every path and for OPTIONS too", async () => {
		await using app = await startTestApp();
		for (const path of ["/", "/ui/", "/nowhere"]) {
			expect((await call(app.port, { path, headers: { host: "evil.example" } })).status).toBe(403);
		}
		expect((await call(app.port, { method: "OPTIONS", headers: { host: "evil.example" } })).status).toBe(403);
	});

	it("may not be missing", async () => {
		await using app = await startTestApp();
		expect(await exchange(app.port, "GET / HTTP/1.0\r\n\r\n")).toMatch(/^HTTP\/1\.1 403 /);
	});

	it("does not matter where others reach the server: there the token is the defence", async () => {
		await using app = await startTestApp({ guard: { loopback: false } });
		expect((await call(app.port, health({ host: "any.example" }))).status).toBe(200);
		expect(problemOf(await call(app.port, { path: "/v1/health", headers: { host: "any.example" } }))).toEqual(
			UNAUTHORIZED,
		);
	});

	it("is read from a Host header without port and brackets", () => {
		expect(["Example.org:80", "[::1]:2", "[::1]", "a", "", "a:b", "a/b", "::1"].map(hostName)).toEqual([
			"example.org",
			"::1",
			"::1",
			"a",
			"",
			"",
			"",
			"",
		]);
	});
});

describe("the origin", () => {
	it("is absent, or the server's own address, or a configured one [guard/foreign-origin]", async () => {
		await using app = await startTestApp({ guard: { allowedOrigins: ["https://app.example"] } });
		const own = `127.0.0.1:${app.port}`;
		for (const headers of [
			{ origin: `http://${own}` },
			{ origin: "http://localhost", host: "localhost:80" },
			{ origin: "https://localhost", host: "localhost" },
			{ origin: "https://proxy.example", "x-forwarded-host": "proxy.example" },
			{ origin: "https://app.example" },
		]) {
			expect((await call(app.port, health(headers))).status, JSON.stringify(headers)).toBe(200);
		}
		for (const headers of [
			{ origin: "http://evil.example" },
			{ origin: "null" },
			{ origin: "http://localhost:1" },
			{ origin: "http://app.example" },
			{ origin: "https://app.example.evil.example" },
			{ origin: "nonsense" },
			{ origin: "file://" },
		]) {
			expect(problemOf(await call(app.port, health(headers))), JSON.stringify(headers)).toEqual(DENIED);
		}
	});

	it("is checked before routing, but not for OPTIONS and not for reading open pages", async () => {
		await using app = await startTestApp();
		const headers = { origin: "http://evil.example" };
		expect((await call(app.port, { path: "/nowhere", headers })).status).toBe(403);
		expect((await call(app.port, { method: "POST", path: "/", headers })).status).toBe(403);
		expect((await call(app.port, { method: "OPTIONS", path: "/v1/health", headers })).status).toBe(200);
		for (const path of ["/", "/ui", "/ui/x"]) expect((await call(app.port, { path, headers })).status).toBe(200);
	});

	it("of an upgrade is checked like any other [guard/upgrades]", async () => {
		await using app = await startTestApp();
		const upgrade = { connection: "Upgrade", upgrade: "websocket" };
		expect((await call(app.port, health({ ...upgrade, origin: "http://evil.example" }))).status).toBe(403);
		expect((await call(app.port, health({ ...upgrade, host: "evil.example" }))).status).toBe(403);
	});

	it("may be any where all were allowed", async () => {
		await using app = await startTestApp({ guard: { allowedOrigins: ["*"] } });
		expect((await call(app.port, health({ origin: "http://any.example" }))).status).toBe(200);
	});
});

describe("the token", () => {
	it("is accepted in one form alone [guard/token-scheme]", async () => {
		await using app = await startTestApp();
		for (const authorization of [
			`bearer ${TOKEN}`,
			`Bearer  ${TOKEN}`,
			`Bearer ${TOKEN}x`,
			`Bearer ${TOKEN.slice(1)}`,
			`Bearer ${TOKEN}${TOKEN}`,
			"Bearer ",
			`Token ${TOKEN}`,
			`Basic ${Buffer.from(`x:${TOKEN}`).toString("base64")}`,
			TOKEN,
		]) {
			const answer = await call(app.port, { path: "/v1/health", headers: { authorization } });
			expect(problemOf(answer), authorization).toEqual(UNAUTHORIZED);
		}
		const headers = { "x-api-key": TOKEN, "x-sandbox-token": TOKEN };
		expect((await call(app.port, { path: "/v1/health", headers })).status).toBe(401);
		expect((await call(app.port, { path: "/v1/health", headers: AUTHORIZED })).status).toBe(200);
	});

	it("is not accepted in the query of a plain request", async () => {
		await using app = await startTestApp();
		expect((await call(app.port, { path: `/v1/health?access_token=${TOKEN}` })).status).toBe(401);
	});

	it("missing is answered with the documented problem and a challenge", async () => {
		await using app = await startTestApp();
		const answer = await call(app.port, { path: "/v1/health" });
		expect(answer.headers["www-authenticate"]).toMatch(/^Bearer/);
		expect(answer.json()).toEqual({
			type: "urn:sandbox-agent:error:token_invalid",
			title: "Token Invalid",
			status: 401,
			detail: "token invalid",
			details: { message: "missing or invalid bearer token" },
		});
	});

	it("comes before the body is looked at [guard/token-order]", async () => {
		await using app = await startTestApp();
		const answer = await call(app.port, { method: "POST", path: "/v1/agents/mock/install", body: "x".repeat(5000) });
		expect(answer.status).toBe(401);
	});

	it("is needed for every method alike [guard/token-required]", async () => {
		await using app = await startTestApp();
		for (const method of ["GET", "HEAD", "POST", "DELETE", "PATCH"]) {
			expect((await call(app.port, { method, path: "/v1/health" })).status, method).toBe(401);
		}
	});

	it("is needed by nobody when there is none", async () => {
		await using app = await startTestApp({ guard: { token: undefined } });
		expect((await call(app.port, { path: "/v1/health" })).status).toBe(200);
	});
});

describe("the token of an upgrade", () => {
	const guard = new Guard({ token: TOKEN, loopback: true, allowedHosts: [], allowedOrigins: [] });
	const request = (url: string, headers: object = {}) =>
		Object.assign(new IncomingMessage(new Socket()), { url, headers });

	it("may be in the query, percent-encoded, because browsers cannot set a header there", () => {
		const encoded = TOKEN.replaceAll("-", "%2D");
		expect(guard.checkToken(request(`/v1/x?a=1&access_token=${encoded}`), { upgrade: true })).toEqual({
			scope: "full",
		});
		for (const url of ["/v1/x", "/v1/x?access_token=", "/v1/x?access_token=wrong", `/v1/x?token=${TOKEN}`]) {
			expect(() => guard.checkToken(request(url), { upgrade: true }), url).toThrow("Token Invalid");
		}
	});

	it("in a header counts before the one in the query", () => {
		const url = `/v1/x?access_token=${TOKEN}`;
		expect(() => guard.checkToken(request(url, { authorization: "Bearer wrong" }), { upgrade: true })).toThrow();
	});
});
