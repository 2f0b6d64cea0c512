export type { ProviderCapabilities } from "./capabilities.ts";
export { getDefaultRuntime, setDefaultRuntime } from "./default-runtime.ts";
export { defineProvider } from "./define-provider.ts";
export type { Endpoint } from "./endpoint.ts";
export type {
	LaunchedServer,
	LaunchRequest,
	OperationOptions,
	ProgressListener,
	ServerExit,
	StartProgress,
} from "./launch.ts";
export { getProviderSpec, PROVIDER_SPEC, type SandboxProvider } from "./provider.ts";
export {
	kindOfStatus,
	ProviderError,
	type ProviderErrorKind,
	type ProviderErrorOptions,
	parseRetryAfter,
	sandboxDestroyed,
} from "./provider-error.ts";
export type { CreateRequest, ProviderSpec, SandboxListing, SandboxStatus } from "./provider-spec.ts";
export { createRuntime } from "./runtime.ts";
export type { Runtime, RuntimeArtifact, RuntimeSource } from "./runtime-artifact.ts";
export type { ExecOptions, ExecResult, SandboxHandle, SpawnedProcess, UploadFile } from "./sandbox-handle.ts";
