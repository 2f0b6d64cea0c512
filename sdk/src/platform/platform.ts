import type { RuntimeArtifact, SandboxProvider } from "@sandbox-agent/core/provider";
import type { SandboxAgentSpawnOptions } from "../options.ts";

/** What depends on where the client runs. There is one implementation per place; the package's `imports` choose it. */
export interface Platform {
	/** The provider of starts that name none. @throws platform_unsupported where there is none */
	defaultProvider(options: SandboxAgentSpawnOptions | undefined): Promise<SandboxProvider>;
	/** The server this package brings along. @throws runtime_missing where there is none */
	runtime(): Promise<RuntimeArtifact>;
	/** The token of a server on this machine, if this user has it. */
	localToken(baseUrl: URL): Promise<string | undefined>;
	/** Working directory of sessions that name none. */
	currentDirectory(): string;
}
