import { openSandbox } from "../lifecycle/open-sandbox.ts";
import type { RunningSandbox } from "../lifecycle/types.ts";
import { PROVIDER_SPEC, type SandboxProvider } from "./provider.ts";
import type { ProviderSpec } from "./provider-spec.ts";

/**
 * Makes a provider out of a vendor's operations. Its methods work alone, each with nothing but a sandbox id, and it
 * carries the spec, which `start` prefers.
 *
 * `pause` and `kill` exist only where the spec has them.
 */
export function defineProvider(spec: ProviderSpec): SandboxProvider {
	/** Sandboxes this value has opened, so that a token given at create is known later. */
	const opened = new Map<string, Promise<RunningSandbox>>();

	const open = (id: string): Promise<RunningSandbox> => {
		const known = opened.get(id);
		if (known) return known;
		const opening = openSandbox({ provider, sandboxId: id });
		opened.set(id, opening);
		// A failed opening is not remembered; the caller gets its error through the returned promise.
		opening.catch(() => opened.delete(id));
		return opening;
	};
	const forget = async (id: string): Promise<void> => {
		const known = opened.get(id);
		opened.delete(id);
		const sandbox = await known?.catch(() => undefined);
		await sandbox?.release();
	};

	const provider: SandboxProvider = {
		name: spec.name,
		async create() {
			const sandbox = await openSandbox({ provider });
			opened.set(sandbox.id, Promise.resolve(sandbox));
			return sandbox.id;
		},
		async destroy(sandboxId) {
			await forget(sandboxId);
			await spec.destroy(sandboxId);
		},
		async reconnect(sandboxId) {
			const handle = await spec.connect(sandboxId);
			await handle.release?.();
		},
		async getUrl(sandboxId) {
			const sandbox = await open(sandboxId);
			return (await sandbox.endpoint({ fresh: true })).url;
		},
		async getFetch(sandboxId) {
			const sandbox = await open(sandboxId);
			return async (input, init) => {
				const endpoint = await sandbox.endpoint();
				const request = new Request(input, init);
				const address = new URL(request.url);
				const headers = new Headers(request.headers);
				for (const [name, value] of Object.entries(endpoint.headers ?? {})) headers.set(name, value);
				if (endpoint.token !== undefined && !headers.has("authorization")) {
					headers.set("authorization", `Bearer ${endpoint.token}`);
				}
				const send = endpoint.fetch ?? globalThis.fetch;
				const target = `${endpoint.url}${address.pathname}${address.search}`;
				return await send(new Request(target, new Request(request, { headers })));
			};
		},
		async ensureServer(sandboxId) {
			const sandbox = await open(sandboxId);
			await sandbox.ensureServer();
		},
		async getToken(sandboxId) {
			const sandbox = await open(sandboxId);
			return (await sandbox.endpoint()).token;
		},
		...(spec.defaultCwd === undefined ? {} : { defaultCwd: spec.defaultCwd }),
	};
	const { pause, kill } = spec;
	if (pause) provider.pause = (sandboxId) => pause.call(spec, sandboxId);
	if (kill) {
		provider.kill = async (sandboxId) => {
			await forget(sandboxId);
			await kill.call(spec, sandboxId);
		};
	}
	// Not enumerable: a copy made by spreading, with methods replaced, is a plain provider.
	Object.defineProperty(provider, PROVIDER_SPEC, { value: spec });
	return provider;
}
