import { getProviderSpec, defineProvider as original } from "@sandbox-agent/core/provider";
import { defineProvider, type SandboxProvider } from "sandbox-agent/provider";
import { expect, it } from "vitest";

it("providers of one's own are written with the client's package alone", () => {
	expect(defineProvider).toBe(original);
	const provider: SandboxProvider = defineProvider({
		name: "acme",
		capabilities: { pause: "none", idempotentCreate: "name", extraPorts: "any" },
		create: () => Promise.reject(new Error("not asked for")),
		connect: () => Promise.reject(new Error("not asked for")),
		status: async () => "gone",
		destroy: async () => undefined,
	});
	expect(getProviderSpec(provider)?.name).toBe("acme");
});
