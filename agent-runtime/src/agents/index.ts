export { startAgent } from "./agent-launch.ts";
export { AgentService, type AgentServiceOptions } from "./agent-service.ts";
export { AgentCapsules } from "./capsule/agent-capsules.ts";
export type { AgentTransport } from "./transport/agent-transport.ts";
