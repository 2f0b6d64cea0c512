// Each line is public API: what stands here must be kept.
export type {
	AcpEnvelope,
	AcpServerInfo,
	AcpServerListResponse,
	AgentCapabilities,
	AgentConfigOption,
	AgentInfo,
	AgentInstallRequest,
	AgentInstallResponse,
	AgentListResponse,
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
	HealthResponse,
	ProcessConfig,
	ProcessCreateRequest,
	ProcessInfo,
	ProcessInputResponse,
	ProcessListQuery,
	ProcessListResponse,
	ProcessLogEntry,
	ProcessLogsResponse,
	ProcessLogsStream,
	ProcessOwner,
	ProcessRestart,
	ProcessRunResponse,
	ProcessState,
} from "@sandbox-agent/core/api";
export { type ProblemDetails, SandboxAgentError, type SandboxAgentErrorCode } from "@sandbox-agent/core/errors";
export type {
	Endpoint,
	ProgressListener,
	RuntimeArtifact,
	RuntimeSource,
	SandboxProvider,
	StartProgress,
} from "@sandbox-agent/core/provider";
export type {
	ListEventsRequest,
	ListPage,
	ListPageRequest,
	ListSessionsRequest,
	ListTurnsRequest,
	SessionConfigOption,
	SessionEvent,
	SessionEventPayload,
	SessionEventSender,
	SessionInit,
	SessionModeState,
	SessionPersistDriver,
	SessionRecord,
	TurnRecord,
	TurnState,
} from "@sandbox-agent/core/session";
export { LiveAcpConnection } from "./acp/live-acp-connection.ts";
export {
	AcpRpcError,
	SandboxDestroyedError,
	UnsupportedPermissionReplyError,
	UnsupportedSessionCategoryError,
	UnsupportedSessionConfigOptionError,
	UnsupportedSessionValueError,
} from "./errors/index.ts";
export type { FileBody } from "./http/body.ts";
export type { RequestOptions } from "./http/request.ts";
export type { RecoveryOptions } from "./http/server-link.ts";
export { buildInspectorUrl, type InspectorUrlOptions } from "./inspector-url.ts";
export type { ErrorReporter } from "./listeners.ts";
export type {
	SandboxAgentCommonOptions as SandboxAgentConnectCommonOptions,
	SandboxAgentConnectOptions,
	SandboxAgentHealthWaitOptions,
	SandboxAgentSpawnLogMode,
	SandboxAgentSpawnOptions,
	SandboxAgentStartOptions,
} from "./options.ts";
export { InMemorySessionPersistDriver, type InMemorySessionPersistDriverOptions } from "./persist/memory.ts";
export type {
	ProcessExit,
	ProcessFollowOptions,
	ProcessInputRequest,
	ProcessLogFollowQuery,
	ProcessLogGap,
	ProcessLogListener,
	ProcessLogStream,
	ProcessLogSubscription,
	ProcessLogsQuery,
	ProcessRunOptions,
	ProcessRunRequest,
	ProcessSignalQuery,
} from "./processes/process-types.ts";
export type { AgentQuery, AgentQueryOptions } from "./resources/agents.ts";
export type { FsArchiveQuery, FsReadOptions, FsWriteOptions, FsWriteResult } from "./resources/files.ts";
export { SandboxAgent } from "./sandbox-agent.ts";
export type { CapsuleOptions } from "./sessions/capsules.ts";
export type {
	PermissionReply,
	PermissionRequestListener,
	SessionPermissionRequest,
	SessionPermissionRequestOption,
} from "./sessions/permission-types.ts";
export type { PermissionDecision, PermissionPolicyOptions, PermissionRule } from "./sessions/policy/policy-types.ts";
export type { PromptStream } from "./sessions/prompt-stream.ts";
export type { ReconcileOptions, Reconciliation, TurnEvidence } from "./sessions/reconciler.ts";
export type { MissingPart, ResumeOptions, ResumeReceipt, ResumeRung } from "./sessions/resume/receipt.ts";
export { Session } from "./sessions/session.ts";
export type { SessionCapabilities } from "./sessions/session-capabilities.ts";
export type { LeaseOptions } from "./sessions/session-leases.ts";
export type { AgentNotification } from "./sessions/session-router.ts";
export type {
	ObserveOptions,
	PromptInput,
	PromptOptions,
	ResumeCallOptions,
	SessionChange,
	SessionCreateRequest,
	SessionEventListener,
	SessionResumeOrCreateRequest,
	SessionSendOptions,
} from "./sessions/session-types.ts";
export type { PromptOverlap } from "./sessions/turn-gate.ts";
export type { ClientStatus, StatusEvent, StatusListener } from "./status.ts";
