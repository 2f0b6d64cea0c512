import { createServer, type RequestListener } from "node:http";
import { describe, expect, it } from "vitest";
import { waitForHealth } from "../../src/lifecycle/index.ts";
import type { StartProgress } from "../../src/provider/index.ts";
import type { Clock } from "../../src/util/index.ts";

/** Time that passes only by sleeping. */
function simulatedClock(): Clock & { slept: number[] } {
	let now = 0;
	const slept: number[] = [];
	return {
		slept,
		now: () => now,
		sleep: async (milliseconds, options = {}) => {
			options.signal?.throwIfAborted();
			slept.push(milliseconds);
			now += milliseconds;
			await new Promise((resolve) => setImmediate(resolve));
		},
	};
}

async function serve(listener: RequestListener): Promise<AsyncDisposable & { url: string }> {
	const server = createServer(listener);
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	const address = server.address();
	if (typeof address !== "object" || address === null) throw new Error("no address");
	return {
		url: `http://127.0.0.1:${address.port}`,
		async [Symbol.asyncDispose]() {
			server.closeAllConnections();
			await new Promise((resolve) => server.close(resolve));
		},
	};
}

const OK = '{"status":"ok"}';

describe("waitForHealth", () => {
	it("takes proxies, redirects, refusals and foreign 401 for a server that boots", async () => {
		const answers: [number, string][] = [
			[502, "bad gateway"],
			[302, ""],
			[404, "not found"],
			[401, "log in first"],
			[200, "<html>welcome</html>"],
			[200, OK],
		];
		await using server = await serve((_request, response) => {
			const [status, body] = answers.shift() ?? [500, ""];
			response.writeHead(status, status === 302 ? { location: "/login" } : {}).end(body);
		});
		const clock = simulatedClock();
		await waitForHealth({ endpoint: async () => server, clock });
		expect(answers).toEqual([]);
		expect(clock.slept).toEqual([25, 50, 100, 200, 400]);
	});

	it("fails at once on our own refusal of the token", async () => {
		let asked = 0;
		await using server = await serve((_request, response) => {
			asked++;
			const problem = { type: "urn:sandbox-agent:error:token_invalid", title: "Token Invalid", status: 401 };
			response.writeHead(401, { "content-type": "application/problem+json" }).end(JSON.stringify(problem));
		});
		await expect(waitForHealth({ endpoint: async () => server })).rejects.toMatchObject({ code: "token_invalid" });
		expect(asked).toBe(1);
	});

	it("sends the endpoint's headers, the caller's, and the token", async () => {
		let seen: Record<string, unknown> = {};
		await using server = await serve((request, response) => {
			seen = request.headers;
			response.end(OK);
		});
		const endpoint = { url: server.url, headers: { "x-preview": "1" }, token: "secret" };
		await waitForHealth({ endpoint: async () => endpoint, headers: { "x-own": "2" } });
		expect(seen).toMatchObject({ "x-preview": "1", "x-own": "2", authorization: "Bearer secret" });
	});

	it("does not hang on a request that gets no answer", async () => {
		let asked = 0;
		await using server = await serve((_request, response) => {
			asked++;
			if (asked > 1) response.end(OK);
		});
		await waitForHealth({ endpoint: async () => server });
		expect(asked).toBe(2);
	});

	it("rejects with the caller's reason in the middle of a request", async () => {
		const controller = new AbortController();
		const reason = new Error("enough");
		await using server = await serve(() => controller.abort(reason));
		await expect(waitForHealth({ endpoint: async () => server, signal: controller.signal })).rejects.toBe(reason);
	});

	it("stops when the process ends, with the end of its log", async () => {
		let died: (exit: { exitCode: number; log: string }) => void = () => undefined;
		const exited = new Promise<{ exitCode: number; log: string }>((resolve) => {
			died = resolve;
		});
		await using server = await serve((_request, response) => {
			response.writeHead(503).end();
			died({ exitCode: 7, log: "out of luck\n" });
		});
		await expect(waitForHealth({ endpoint: async () => server, server: { exited } })).rejects.toMatchObject({
			code: "start_failed",
			message: expect.stringMatching(/exited with code 7.*out of luck/s),
		});
	});

	it("asks for the process where its end is not announced", async () => {
		await using server = await serve((_request, response) => response.writeHead(503).end());
		const clock = simulatedClock();
		let probes = 0;
		const probe = async () => (++probes === 3 ? { exitCode: null, log: "gone" } : undefined);
		await expect(waitForHealth({ endpoint: async () => server, server: { probe }, clock })).rejects.toMatchObject({
			code: "start_failed",
			message: expect.stringContaining("gone"),
		});
		expect(clock.now()).toBeGreaterThanOrEqual(3_000);
	});

	it("asks for the server to be started again, and shows what went wrong", async () => {
		let healthy = false;
		await using server = await serve((_request, response) => {
			response.writeHead(healthy ? 200 : 503).end(healthy ? OK : "");
		});
		const clock = simulatedClock();
		const started: number[] = [];
		const events: StartProgress[] = [];
		await waitForHealth({
			endpoint: async () => server,
			clock,
			onProgress: (event) => events.push(event),
			ensureServer: async () => {
				started.push(clock.now());
				if (started.length === 1) throw new Error("the vendor hiccups");
				healthy = true;
			},
		});
		expect(started).toHaveLength(2);
		expect(started[0]).toBeGreaterThanOrEqual(1_500);
		expect(events.map(({ phase, message }) => `${phase} ${message}`)).toContain(
			"recover starting the server failed: Error: the vendor hiccups",
		);
	});

	it("follows an address that changes, and bears one that is not there yet", async () => {
		await using server = await serve((_request, response) => response.end(OK));
		let asked = 0;
		const endpoint = async () => {
			asked++;
			if (asked === 1) throw new Error("no address yet");
			return asked === 2 ? { url: "http://127.0.0.1:1" } : server;
		};
		await waitForHealth({ endpoint, clock: simulatedClock() });
		expect(asked).toBe(3);
	});
});
