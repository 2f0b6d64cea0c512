export type {
	AcpEnvelope,
	AcpRequestState,
	AcpServerInfo,
	AcpServerListResponse,
	AcpStateResponse,
} from "./acp.ts";
export {
	AGENT_IDS,
	type AgentCapabilities,
	type AgentConfigOption,
	type AgentId,
	type AgentInfo,
	type AgentInstallRequest,
	type AgentInstallResponse,
	type AgentListResponse,
	isAgentId,
} from "./agents.ts";
export type {
	CapsuleChangesRequest,
	CapsuleChangesResponse,
	CapsuleChunkBody,
	CapsuleRestoreRequest,
} from "./capsules.ts";
export type {
	FsActionResponse,
	FsDeleteQuery,
	FsEntriesQuery,
	FsEntry,
	FsMoveRequest,
	FsMoveResponse,
	FsPathQuery,
	FsStat,
	FsUploadBatchQuery,
	FsUploadBatchResponse,
	FsWriteResponse,
} from "./files.ts";
export type { HealthResponse } from "./health.ts";
export type {
	ProcessConfig,
	ProcessCreateRequest,
	ProcessInfo,
	ProcessInputRequest,
	ProcessInputResponse,
	ProcessListQuery,
	ProcessListResponse,
	ProcessLogEntry,
	ProcessLogsResponse,
	ProcessLogsStream,
	ProcessOwner,
	ProcessRestart,
	ProcessRunBody,
	ProcessRunResponse,
	ProcessState,
} from "./processes.ts";
export {
	defineRoute,
	type HttpMethod,
	type ParsedRouteQuery,
	type PathParameters,
	type Route,
	type RouteBody,
	type RouteQuery,
	type RouteResult,
} from "./route.ts";
export { ROUTES, type RouteName, type Routes } from "./routes.ts";
export { API_GENERATION, HEADERS, VERSION } from "./version.ts";
