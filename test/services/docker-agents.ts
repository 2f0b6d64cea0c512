import { fileURLToPath } from "node:url";

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
