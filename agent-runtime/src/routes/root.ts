import type { RouteHandlers } from "../server/route-handler.ts";

/** Where people read more. */
const DOCUMENTATION_URL = "https://sandboxagent.dev";

/** The handler of `/`. */
export function createRootRoutes(): Pick<RouteHandlers, "getRoot"> {
	return { getRoot: () => ({ name: "Sandbox Agent", docs: DOCUMENTATION_URL }) };
}
