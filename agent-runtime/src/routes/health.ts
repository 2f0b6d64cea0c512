import type { RouteHandlers } from "../server/route-handler.ts";

/** The handler of `/v1/health`: a server that answers at all is up. */
export function createHealthRoutes(): Pick<RouteHandlers, "getHealth"> {
	return { getHealth: () => ({ status: "ok" }) };
}
