import { getProviderSpec } from "../provider/provider.ts";
import { openPlainSandbox } from "./plain-sandbox.ts";
import { openSpecSandbox } from "./spec-sandbox.ts";
import type { OpenSandboxRequest, RunningSandbox } from "./types.ts";

/**
 * Opens a sandbox, new or existing, and resolves when its server answers.
 *
 * A start that fails or is aborted, in whatever phase, destroys the sandbox it made; an existing one is left alone. The
 * first error is the one thrown; errors of the clean-up are attached to it as `cleanupErrors`.
 *
 * @throws sandbox_destroyed when `sandboxId` names a sandbox that is definitely gone
 * @throws health_timeout when the server does not answer in time
 * @throws start_failed when the server process ends; holds the end of its log
 */
export async function openSandbox(request: OpenSandboxRequest): Promise<RunningSandbox> {
	const spec = getProviderSpec(request.provider);
	return spec ? await openSpecSandbox(request, spec) : await openPlainSandbox(request);
}
