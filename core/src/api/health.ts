import * as z from "zod/mini";
import { defineRoute } from "./route.ts";

const rootReply = () => z.object({ name: z.string(), docs: z.string() });
const healthReply = () => z.object({ status: z.literal("ok") });

/** Names the server. Open, so that a person who opens the address sees what it is. */
export const getRoot = defineRoute({
	name: "getRoot",
	method: "GET",
	path: "/",
	summary: "Name of the server",
	open: true,
	replies: [{ status: 200, description: "Name and documentation address", body: rootReply }],
});

/** Liveness. Needs the token like every `/v1` route: a wrong token is told apart from a server that is still booting. */
export const getHealth = defineRoute({
	name: "getHealth",
	method: "GET",
	path: "/v1/health",
	summary: "Liveness",
	replies: [{ status: 200, description: "The server is up", body: healthReply }],
});

export type HealthResponse = z.infer<ReturnType<typeof healthReply>>;
