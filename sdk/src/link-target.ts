import type { RunningSandbox } from "@sandbox-agent/core/lifecycle";
import { platform } from "#platform";
import type { LinkTarget } from "./http/server-link.ts";

const LOOPBACK = /^(?:localhost|.*\.localhost|127(?:\.\d+){3}|\[::1\])$/;

/** A server of which only the address is known. */
export function addressTarget(baseUrl: string, options: { mayUseLocalToken: boolean }): LinkTarget {
	let token: Promise<string | undefined> | undefined;
	return {
		async endpoint({ fresh }) {
			// A server that was started again may have another token.
			if (!token || fresh) token = options.mayUseLocalToken ? localToken(baseUrl) : Promise.resolve(undefined);
			return { url: baseUrl, token: await token };
		},
	};
}

/** The server in a sandbox of ours. */
export function sandboxTarget(sandbox: RunningSandbox): LinkTarget {
	return {
		endpoint: (options) => sandbox.endpoint(options),
		ensureServer: (options) => sandbox.ensureServer(options),
		sandbox: { provider: sandbox.provider.name, id: sandbox.id },
	};
}

/** Tokens that lie on this machine are for servers on this machine only. */
async function localToken(baseUrl: string): Promise<string | undefined> {
	const url = new URL(baseUrl);
	return LOOPBACK.test(url.hostname) ? await platform.localToken(url) : undefined;
}
