import { SandboxAgentError } from "@sandbox-agent/core/errors";

/** The sandbox is definitely gone: nothing that retries can help. Start a new one without `sandboxId`. */
export class SandboxDestroyedError extends SandboxAgentError<"sandbox_destroyed"> {
	/** The vendor's id, without the provider's name. */
	readonly sandboxId: string;
	readonly provider: string;

	/**
	 * @param sandboxId the vendor's id
	 * @param provider name of the provider
	 */
	constructor(sandboxId: string, provider: string, options: { cause?: unknown } = {}) {
		super("sandbox_destroyed", `[${provider}] sandbox ${sandboxId} does not exist any more`, {
			cause: options.cause,
			hint: "start a new one without sandboxId",
			details: { sandboxId: `${provider}/${sandboxId}` },
		});
		this.name = "SandboxDestroyedError";
		this.sandboxId = sandboxId;
		this.provider = provider;
	}
}
