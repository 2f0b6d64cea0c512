export { openSandbox } from "./open-sandbox.ts";
export { LABELS, ownershipLabels } from "./ownership.ts";
export type { OpenSandboxRequest, RunningSandbox } from "./types.ts";
export { type HealthWaitOptions, waitForHealth } from "./wait-for-health.ts";
