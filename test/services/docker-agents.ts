import { fileURLToPath } from "node:url";
import Docker from "dockerode";

/**
 * Where real agents lie that tests have installed: a data directory that is kept between runs, filled on first use by
 * the tests of the agents.
 */
export const AGENT_CACHE =
	process.env.SANDBOX_AGENT_TEST_CACHE ?? fileURLToPath(new URL("../../.tools/agents", import.meta.url));

/**
 * Binds that put those agents where the server of a container looks for them. Copying their 750 MB into an image
 * would make every run wait.
 *
 * @example docker({ image: process.env.SANDBOX_AGENT_TEST_IMAGE, binds: AGENT_BINDS })
 */
export const AGENT_BINDS = [`${AGENT_CACHE}/bin:/home/sandbox/.local/share/sandbox-agent/bin:ro`];

/** The address by which containers of the tests' daemon reach this machine. */
export async function addressOfThisMachine(): Promise<string> {
	const bridge: Docker.NetworkInspectInfo = await new Docker().getNetwork("bridge").inspect();
	const gateway = bridge.IPAM?.Config?.[0]?.Gateway;
	if (gateway === undefined) throw new Error("the bridge of the Docker daemon has no gateway");
	return gateway;
}

/** What has Claude Code talk to a scripted model and to nobody else. */
export function claudeEnvironment(modelUrl: string): Record<string, string> {
	return {
		ANTHROPIC_BASE_URL: modelUrl,
		ANTHROPIC_API_KEY: "scripted-key",
		CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
		DISABLE_AUTOUPDATER: "1",
	};
}
