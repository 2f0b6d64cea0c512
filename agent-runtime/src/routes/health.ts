import type { RouteHandlers } from "../server/route-handler.ts";

/**
 * The handler of `/v1/health`: a server that answers at all is up.
 *
 * @param onFirst Called behind the first answer: whoever asked is about to use the server.
 */
export function createHealthRoutes(onFirst: () => void): Pick<RouteHandlers, "getHealth"> {
	let isFirst = true;
	return {
		getHealth: () => {
			if (isFirst) setImmediate(onFirst);
			isFirst = false;
			return { status: "ok" };
		},
	};
}
