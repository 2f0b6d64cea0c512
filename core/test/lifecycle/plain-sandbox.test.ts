import { createServer } from "node:http";
import { describe, expect, it } from "vitest";
import { openSandbox } from "../../src/lifecycle/index.ts";
import { type SandboxProvider, sandboxDestroyed } from "../../src/provider/index.ts";

/** A plain provider around a real HTTP server, whose calls are recorded. */
async function plainProvider(overrides: Partial<SandboxProvider> = {}) {
	const calls: string[] = [];
	let running = true;
	const server = createServer((_request, response) => {
		if (!running) response.writeHead(503);
		response.end(running ? '{"status":"ok"}' : "");
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	const address = server.address();
	const url = `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}/`;
	const provider: SandboxProvider = {
		name: "plain",
		create: async () => {
			calls.push("create");
			return "box";
		},
		destroy: async () => {
			calls.push("destroy");
		},
		reconnect: async () => {
			calls.push("reconnect");
		},
		ensureServer: async () => {
			calls.push("ensureServer");
			running = true;
		},
		getUrl: async () => {
			calls.push("getUrl");
			return url;
		},
		getFetch: async () => {
			calls.push("getFetch");
			return globalThis.fetch;
		},
		getToken: async () => {
			calls.push("getToken");
			return "plain token";
		},
		...overrides,
	};
	return {
		provider,
		calls,
		url,
		stop: () => {
			running = false;
		},
		async [Symbol.asyncDispose]() {
			server.closeAllConnections();
			await new Promise((resolve) => server.close(resolve));
		},
	};
}

describe("a plain provider", () => {
	it("creates, then tells how its server is reached", async () => {
		await using box = await plainProvider();
		const sandbox = await openSandbox({ provider: box.provider });
		expect(box.calls).toEqual(["create", "getFetch", "getUrl", "getToken"]);
		expect(sandbox.id).toBe("box");
		expect(await sandbox.endpoint()).toEqual({
			url: box.url.replace(/\/$/, ""),
			fetch: globalThis.fetch,
			token: "plain token",
		});
	});

	it("reconnects to an existing sandbox and makes sure of its server", async () => {
		await using box = await plainProvider();
		await openSandbox({ provider: box.provider, sandboxId: "box" });
		expect(box.calls).toEqual(["reconnect", "ensureServer", "getFetch", "getUrl", "getToken"]);
	});

	it("is reached through its fetch alone when it has no address", async () => {
		const asked: string[] = [];
		const provider: SandboxProvider = {
			name: "binding",
			create: async () => "box",
			destroy: async () => undefined,
			getFetch: async () => async (input) => {
				asked.push(String(input));
				return new Response('{"status":"ok"}');
			},
		};
		const sandbox = await openSandbox({ provider });
		expect(asked).toEqual(["http://sandbox-agent/v1/health"]);
		expect((await sandbox.endpoint()).url).toBe("http://sandbox-agent");
	});

	it("is refused when it can be reached in no way", async () => {
		const provider = { name: "mute", create: async () => "box", destroy: async () => undefined };
		await expect(openSandbox({ provider })).rejects.toMatchObject({ code: "provider_invalid" });
	});

	it("is asked to start its server again when that does not answer", async () => {
		await using box = await plainProvider();
		box.stop();
		await openSandbox({ provider: box.provider });
		expect(box.calls).toContain("ensureServer");
	});

	it("destroys a new sandbox that fails, and passes on errors of an existing one untouched", async () => {
		const failure = new Error("no url today");
		await using box = await plainProvider({ getUrl: () => Promise.reject(failure) });
		await expect(openSandbox({ provider: box.provider })).rejects.toBe(failure);
		expect(box.calls).toContain("destroy");
		box.calls.length = 0;
		await expect(openSandbox({ provider: box.provider, sandboxId: "box" })).rejects.toBe(failure);
		expect(box.calls).not.toContain("destroy");
		const gone = sandboxDestroyed("plain", "box");
		await using empty = await plainProvider({ reconnect: () => Promise.reject(gone) });
		await expect(openSandbox({ provider: empty.provider, sandboxId: "box" })).rejects.toBe(gone);
	});

	it("ends a creation that was aborted meanwhile", async () => {
		const controller = new AbortController();
		const reason = new Error("changed my mind");
		await using box = await plainProvider({
			create: async () => {
				controller.abort(reason);
				return "box";
			},
		});
		await expect(openSandbox({ provider: box.provider, signal: controller.signal })).rejects.toBe(reason);
		expect(box.calls).toEqual(["destroy"]);
	});

	it("kills with kill where it has one, and says when it cannot pause", async () => {
		await using box = await plainProvider();
		const sandbox = await openSandbox({ provider: box.provider });
		await sandbox.kill();
		expect(box.calls.at(-1)).toBe("destroy");
		box.provider.kill = async () => {
			box.calls.push("kill");
		};
		await sandbox.kill();
		expect(box.calls.at(-1)).toBe("kill");
		await expect(sandbox.pause()).rejects.toMatchObject({ code: "capability_unsupported" });
		expect(box.calls.at(-1)).toBe("kill");
	});

	it("shares one run between concurrent calls of ensureServer", async () => {
		await using box = await plainProvider();
		const sandbox = await openSandbox({ provider: box.provider });
		box.calls.length = 0;
		await Promise.all([sandbox.ensureServer(), sandbox.ensureServer(), sandbox.ensureServer()]);
		expect(box.calls.filter((call) => call === "ensureServer")).toHaveLength(1);
	});
});
