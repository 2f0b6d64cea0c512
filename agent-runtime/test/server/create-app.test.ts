import { once } from "node:events";
import { ROUTES } from "@sandbox-agent/core/api";
import { describe, expect, it } from "vitest";
import { call, problemOf } from "./support/http.ts";
import { AUTHORIZED, exchange, startTestApp } from "./support/test-app.ts";

const JSON_BODY = { ...AUTHORIZED, "content-type": "application/json" };
const INSTALL = { method: "POST", path: "/v1/agents/mock/install" };

describe("answers of every kind", () => {
	it("carry the version, the API generation and vary [wire/version-headers]", async () => {
		await using app = await startTestApp();
		for (const path of ["/", "/v1/health", "/nowhere", "/ui/"]) {
			const { headers } = await call(app.port, { path });
			expect(headers).toMatchObject({
				"sandbox-agent-version": "0.5.0",
				"sandbox-agent-api": "1",
				vary: "origin, access-control-request-method, access-control-request-headers",
			});
		}
	});

	it("root and health have their documented bodies", async () => {
		await using app = await startTestApp();
		const root = await call(app.port);
		expect(root.json()).toEqual({ name: "Sandbox Agent", docs: "https://sandboxagent.dev" });
		expect(root.headers["content-type"]).toBe("application/json");
		const health = await call(app.port, { path: "/v1/health", headers: AUTHORIZED });
		expect([health.status, health.text]).toEqual([200, '{"status":"ok"}']);
	});

	it("every GET route answers HEAD, without a body", async () => {
		await using app = await startTestApp();
		const paths = Object.values(ROUTES).flatMap(({ method, path }) => (method === "GET" ? [path] : []));
		for (const path of [...paths, "/ui/"]) {
			const target = `${path.replaceAll(/\{\w+\}/g, "x")}?path=x`;
			const [get, head] = [
				await call(app.port, { path: target, headers: AUTHORIZED }),
				await call(app.port, { method: "HEAD", path: target, headers: AUTHORIZED }),
			];
			expect([head.status, head.headers["content-type"], head.text]).toEqual([200, get.headers["content-type"], ""]);
		}
	});

	it("a route without a reply body answers 204 without a body", async () => {
		await using app = await startTestApp();
		const answer = await call(app.port, { method: "DELETE", path: "/v1/acp/x", headers: AUTHORIZED });
		expect([answer.status, answer.text, answer.headers["content-length"]]).toEqual([204, "", undefined]);
	});
});

describe("paths", () => {
	it("an unknown path is 404 without a token, a trailing slash included [wire/unknown-route]", async () => {
		await using app = await startTestApp();
		for (const path of ["/v1", "/v1/health/", "/v1/sessions", "/V1/health", "//", "/v1/acp/", "/v1/acp/a/b", "/uix"]) {
			const answer = await call(app.port, { path });
			expect(answer.json()).toEqual({
				type: "urn:sandbox-agent:error:invalid_request",
				title: "Not Found",
				status: 404,
				detail: "endpoint not found",
			});
		}
	});

	it("a known path with another method is 405 with allow, but only to who has the token [wire/method-not-allowed]", async () => {
		await using app = await startTestApp();
		const stranger = await call(app.port, { method: "PUT", path: "/v1/health" });
		expect([stranger.status, stranger.headers.allow]).toEqual([401, undefined]);
		const answer = await call(app.port, { method: "PUT", path: "/v1/health", headers: AUTHORIZED });
		expect([problemOf(answer), answer.headers.allow]).toEqual([{ status: 405, code: "invalid_request" }, "GET,HEAD"]);
		const acp = await call(app.port, { method: "PUT", path: "/v1/acp/x", headers: AUTHORIZED });
		expect(acp.headers.allow).toBe("POST,GET,HEAD,DELETE");
		expect((await call(app.port, { method: "POST" })).headers.allow).toBe("GET,HEAD");
	});

	it("parameters are percent-decoded, and malformed ones refused", async () => {
		await using app = await startTestApp();
		const sent = { method: "POST", headers: AUTHORIZED };
		const answer = await call(app.port, { ...sent, path: "/v1/acp/a%2Fb%20c?agent=mock&agent=pi&other=1" });
		expect(answer.json()).toEqual({ params: { server_id: "a/b c" }, query: { agent: "pi" } });
		expect(problemOf(await call(app.port, { ...sent, path: "/v1/acp/%zz" }))).toEqual({
			status: 400,
			code: "invalid_request",
		});
	});

	it("a request target in absolute form is understood", async () => {
		await using app = await startTestApp();
		const path = `http://127.0.0.1:${app.port}/v1/health`;
		expect((await call(app.port, { path, headers: AUTHORIZED })).status).toBe(200);
	});
});

describe("queries and bodies", () => {
	it("booleans of a query are true and false, nothing else", async () => {
		await using app = await startTestApp();
		const list = async (query: string) => call(app.port, { path: `/v1/agents?${query}`, headers: AUTHORIZED });
		expect((await list("config=true&no_cache=false")).text).toContain('{\\"config\\":true,\\"no_cache\\":false}');
		for (const value of ["1", "0", "yes", "", "TRUE"]) {
			const answer = await list(`config=${value}`);
			expect([answer.status, answer.text]).toEqual([
				400,
				expect.stringContaining("config: expected `true` or `false`"),
			]);
		}
	});

	it("a body that is not declared as JSON is 415", async () => {
		await using app = await startTestApp();
		for (const contentType of [undefined, "text/plain", "application/jsonx"]) {
			const headers = { ...AUTHORIZED, ...(contentType === undefined ? {} : { "content-type": contentType }) };
			const answer = await call(app.port, { ...INSTALL, headers, body: "{}" });
			expect(problemOf(answer)).toEqual({ status: 415, code: "unsupported_media_type" });
		}
		const headers = { ...AUTHORIZED, "content-type": "Application/JSON; charset=utf-8" };
		expect((await call(app.port, { ...INSTALL, headers, body: "{}" })).status).toBe(200);
	});

	it("what is not JSON is 400, what does not fit is 422 and names the field [wire/body-not-json] [wire/problem-everywhere]", async () => {
		await using app = await startTestApp();
		for (const body of ["", "{", "nonsense", '{"a":1}}']) {
			const answer = await call(app.port, { ...INSTALL, headers: JSON_BODY, body });
			expect(problemOf(answer)).toEqual({ status: 400, code: "invalid_request" });
		}
		for (const [body, message] of [
			['{"reinstall":"yes"}', "reinstall: expected boolean"],
			['{"agentVersion":7}', "agentVersion: expected string"],
			["[]", "expected object"],
			["null", "expected object"],
		]) {
			const answer = await call(app.port, { ...INSTALL, headers: JSON_BODY, body: body ?? "" });
			expect([problemOf(answer), answer.text]).toEqual([
				{ status: 422, code: "invalid_request" },
				expect.stringContaining(message ?? ""),
			]);
		}
	});

	it("a body over the limit is 413, announced or not, and the connection stays usable", async () => {
		await using app = await startTestApp({ maxBodyBytes: 100 });
		const body = JSON.stringify({ agentVersion: "x".repeat(200) });
		const announced = await call(app.port, { ...INSTALL, headers: JSON_BODY, body });
		expect(problemOf(announced)).toEqual({ status: 413, code: "invalid_request" });
		const chunked = await call(app.port, {
			...INSTALL,
			headers: { ...JSON_BODY, "transfer-encoding": "chunked" },
			body,
		});
		expect(problemOf(chunked)).toEqual({ status: 413, code: "invalid_request" });
		const two = await exchange(
			app.port,
			`POST ${INSTALL.path} HTTP/1.1\r\nhost: localhost\r\nauthorization: ${AUTHORIZED.authorization}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}` +
				`GET /v1/health HTTP/1.1\r\nhost: localhost\r\nauthorization: ${AUTHORIZED.authorization}\r\nconnection: close\r\n\r\n`,
		);
		expect([...two.matchAll(/HTTP\/1\.1 (\d+)/g)].map((match) => match[1])).toEqual(["413", "200"]);
	});

	it("unknown members are ignored", async () => {
		await using app = await startTestApp();
		const answer = await call(app.port, { ...INSTALL, headers: JSON_BODY, body: '{"reinstall":true,"more":1}' });
		expect(answer.json()).toEqual({ already_installed: false, artifacts: [] });
	});
});

describe("failures of handlers", () => {
	it("an error of ours keeps its code and members", async () => {
		await using app = await startTestApp();
		const answer = await call(app.port, {
			method: "POST",
			path: "/v1/agents/unknown/install",
			headers: JSON_BODY,
			body: "{}",
		});
		expect(answer.headers["content-type"]).toBe("application/problem+json");
		expect(answer.json()).toMatchObject({ status: 400, title: "Unsupported Agent", agent: "unknown" });
	});

	it("any other error is a 500 that tells nothing of it", async () => {
		await using app = await startTestApp();
		const answer = await call(app.port, {
			method: "POST",
			path: "/v1/agents/broken/install",
			headers: JSON_BODY,
			body: "{}",
		});
		expect(problemOf(answer)).toEqual({ status: 500, code: "internal_error" });
		expect(answer.text).not.toContain("secret");
	});

	it("an error behind the first byte cuts the connection", async () => {
		await using app = await startTestApp({
			handlers: {
				streamAcp: async ({ response }) => {
					response.writeHead(200, { "content-type": "text/event-stream" });
					await new Promise((resolve) => response.write("data: 1\n\n", resolve));
					throw new Error("broken");
				},
			},
		});
		await expect(call(app.port, { path: "/v1/acp/x", headers: AUTHORIZED })).rejects.toThrow(/aborted|hang up/);
	});

	it("the signal of a handler aborts when its client goes away", async () => {
		const controller = new AbortController();
		let handled: Promise<unknown> | undefined;
		await using app = await startTestApp({
			handlers: {
				installAgent: async ({ signal }) => {
					handled = once(signal, "abort");
					controller.abort();
					await handled;
					return { already_installed: true, artifacts: [] };
				},
			},
		});
		const sent = fetch(`http://127.0.0.1:${app.port}${INSTALL.path}`, {
			method: "POST",
			headers: JSON_BODY,
			body: "{}",
			signal: controller.signal,
		});
		await expect(sent).rejects.toThrow();
		await handled;
	});
});

describe("web pages", () => {
	it("every path under /ui without a file extension is the page, to anyone", async () => {
		await using app = await startTestApp();
		for (const path of ["/ui", "/ui/", "/ui/index.html", "/ui/some/where?x=1.js"]) {
			const answer = await call(app.port, { path, headers: { origin: "http://elsewhere.example" } });
			expect([answer.status, answer.headers["content-type"]]).toEqual([200, "text/html; charset=utf-8"]);
		}
		const missing = await call(app.port, { path: "/ui/app.js" });
		expect([missing.status, missing.text]).toEqual([404, ""]);
		expect((await call(app.port, { method: "POST", path: "/ui/" })).status).toBe(405);
	});

	it("the page lets nothing run but its own script", async () => {
		await using app = await startTestApp();
		const { headers, text } = await call(app.port, { path: "/ui/" });
		const policy = headers["content-security-policy"] ?? "";
		const script = /<script>([\s\S]*)<\/script>/.exec(text)?.[1] ?? "";
		const digest = Buffer.from(await crypto.subtle.digest("SHA-256", Buffer.from(script))).toString("base64");
		expect(policy).toContain("default-src 'none'");
		expect(policy).toContain(`script-src 'sha256-${digest}'`);
		expect(text).not.toMatch(/(src|href)="(?!data:)/);
	});
});
