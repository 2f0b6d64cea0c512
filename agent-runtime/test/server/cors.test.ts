import { describe, expect, it } from "vitest";
import type { CorsOptions } from "../../src/server/cors.ts";
import { call } from "./support/http.ts";
import { AUTHORIZED, startTestApp } from "./support/test-app.ts";

const ORIGIN = "http://app.example";

async function headersOf(cors: Partial<CorsOptions>, method: string, headers: Record<string, string> = {}) {
	await using app = await startTestApp({ cors, guard: { allowedOrigins: cors.origins ?? [] } });
	const answer = await call(app.port, { method, path: "/v1/health", headers: { ...AUTHORIZED, ...headers } });
	const entries = Object.entries(answer.headers).filter(([name]) => name.startsWith("access-control-"));
	return { status: answer.status, allow: answer.headers.allow, ...Object.fromEntries(entries) };
}

describe("without CORS options", () => {
	it("answers carry no access-control header", async () => {
		expect(await headersOf({}, "GET")).toEqual({ status: 200, allow: undefined });
	});

	it("OPTIONS grants methods and headers, but no origin [cors/preflight]", async () => {
		expect(await headersOf({}, "OPTIONS", { origin: ORIGIN, authorization: "" })).toEqual({
			status: 200,
			allow: "GET,HEAD",
			"access-control-allow-methods": "*",
			"access-control-allow-headers": "*,authorization",
		});
	});
});

describe("with allowed origins", () => {
	it("an allowed origin is echoed, on errors too, another one is not [cors/listed-origin]", async () => {
		const cors = { origins: [ORIGIN] };
		expect(await headersOf(cors, "GET", { origin: ORIGIN })).toMatchObject({ "access-control-allow-origin": ORIGIN });
		const refused = await headersOf(cors, "GET", { origin: ORIGIN, authorization: "Bearer wrong" });
		expect(refused).toMatchObject({ status: 401, "access-control-allow-origin": ORIGIN });
		const other = await headersOf(cors, "OPTIONS", { origin: "http://other.example" });
		expect(other).not.toHaveProperty("access-control-allow-origin");
	});

	it("`*` is sent as such and never as the asking origin [cors/wildcard]", async () => {
		const answer = await headersOf({ origins: ["*"] }, "GET", { origin: ORIGIN });
		expect(answer).toMatchObject({ status: 200, "access-control-allow-origin": "*" });
	});

	it("pages can read the headers of this API", async () => {
		const answer = await headersOf({ origins: [ORIGIN] }, "GET", { origin: ORIGIN });
		expect(answer).toMatchObject({ "access-control-expose-headers": expect.stringContaining("sandbox-agent-log") });
	});
});

describe("with methods, headers and credentials", () => {
	it("methods keep their spelling; the headers this API needs are always among the allowed ones", async () => {
		const answer = await headersOf({ methods: ["GET", "post"], headers: ["Content-Type", "x-foo"] }, "OPTIONS");
		expect(answer).toMatchObject({
			"access-control-allow-methods": "GET,post",
			"access-control-allow-headers":
				"Content-Type,x-foo,authorization,last-event-id,idempotency-key,prefer,sandbox-agent-log,range,if-range,if-match,if-none-match",
		});
	});

	it("with credentials what is asked for is granted by name, because browsers take `*` literally there", async () => {
		const answer = await headersOf({ origins: [ORIGIN], credentials: true }, "OPTIONS", {
			origin: ORIGIN,
			"access-control-request-method": "PUT",
			"access-control-request-headers": "authorization, x-foo",
		});
		expect(answer).toMatchObject({
			"access-control-allow-origin": ORIGIN,
			"access-control-allow-credentials": "true",
			"access-control-allow-methods": "PUT",
			"access-control-allow-headers": "authorization, x-foo",
		});
	});
});
