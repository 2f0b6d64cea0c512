/** What is fixed about one kind of failure. */
export interface ErrorCode {
	/** HTTP status when the failure crosses the wire, and the status shown by an error that never did. */
	readonly status: number;
	/** Short and constant: the `title` of the problem document and the beginning of the message. */
	readonly title: string;
	/** Whether the same call may succeed later without any change by the caller. */
	readonly retryable: boolean;
	/** What the reader can do about it, in one sentence. */
	readonly hint?: string;
}

/**
 * Every failure this project names. A code is never renamed: programs branch on it, and it is the last part of the
 * problem type `urn:sandbox-agent:error:<code>`. Adding one is adding one entry here.
 */
export const ERROR_CODES = {
	// The request.
	invalid_request: { status: 400, title: "Invalid Request", retryable: false },
	unsupported_agent: {
		status: 400,
		title: "Unsupported Agent",
		retryable: false,
		hint: "GET /v1/agents lists the agents this server knows",
	},
	mode_not_supported: { status: 400, title: "Mode Not Supported", retryable: false },
	token_invalid: {
		status: 401,
		title: "Token Invalid",
		retryable: false,
		hint: "send the server's token as `Authorization: Bearer <token>`",
	},
	permission_denied: { status: 403, title: "Permission Denied", retryable: false },
	not_found: { status: 404, title: "Not Found", retryable: false },
	session_not_found: { status: 404, title: "Session Not Found", retryable: false },
	agent_not_installed: {
		status: 404,
		title: "Agent Not Installed",
		retryable: false,
		hint: "run `sandbox-agent install-agent <agent>` or allow installation on first use",
	},
	not_acceptable: { status: 406, title: "Not Acceptable", retryable: false },
	conflict: { status: 409, title: "Conflict", retryable: false },
	session_already_exists: {
		status: 409,
		title: "Session Already Exists",
		retryable: false,
		hint: "use resumeOrCreateSession() to continue it, or another id",
	},
	unsupported_media_type: { status: 415, title: "Unsupported Media Type", retryable: false },
	precondition_failed: {
		status: 412,
		title: "Precondition Failed",
		retryable: false,
		hint: "the file is not the one you know: read it again",
	},
	range_not_satisfiable: { status: 416, title: "Range Not Satisfiable", retryable: false },
	idempotency_key_reused: {
		status: 422,
		title: "Idempotency Key Reused",
		retryable: false,
		hint: "use a new key for a different message",
	},
	reply_evicted: {
		status: 409,
		title: "Reply Evicted",
		retryable: false,
		hint: "the request with this key has ended, but its reply is no longer retained",
	},
	queue_full: {
		status: 429,
		title: "Queue Full",
		retryable: true,
		hint: "wait for earlier messages of this connection to be delivered",
	},
	// The agent.
	install_failed: { status: 500, title: "Install Failed", retryable: true },
	agent_process_exited: {
		status: 500,
		title: "Agent Process Exited",
		retryable: true,
		hint: "the next message that names the agent starts a new process",
	},
	outcome_unknown: {
		status: 500,
		title: "Outcome Unknown",
		retryable: false,
		hint: "the server was restarted while the request ran: check the workspace before you send it again",
	},
	not_delivered: {
		status: 503,
		title: "Not Delivered",
		retryable: true,
		hint: "the agent never received the request: it is safe to send it again",
	},
	request_cancelled: { status: 500, title: "Request Cancelled", retryable: false },
	stream_error: { status: 502, title: "Stream Error", retryable: true },
	timeout: { status: 504, title: "Timeout", retryable: true },
	internal_error: { status: 500, title: "Internal Error", retryable: false },
	// The server process.
	state_in_use: {
		status: 409,
		title: "State Directory In Use",
		retryable: false,
		hint: "give this server a --state-dir of its own or stop the other one",
	},
	address_in_use: { status: 409, title: "Address In Use", retryable: false, hint: "choose another --port, or 0" },
	disk_full: {
		status: 507,
		title: "Disk Full",
		retryable: false,
		hint: "make room in the sandbox; nothing of this call was kept",
	},
	// The sandbox and its provider.
	sandbox_destroyed: { status: 410, title: "Sandbox Destroyed", retryable: false },
	sandbox_not_attached: {
		status: 409,
		title: "Sandbox Not Attached",
		retryable: false,
		hint: "only a client made by SandboxAgent.start() owns a sandbox",
	},
	start_failed: { status: 500, title: "Start Failed", retryable: true },
	health_timeout: { status: 504, title: "Health Timeout", retryable: true },
	endpoint_unreachable: { status: 502, title: "Endpoint Unreachable", retryable: true },
	connection_lost: { status: 502, title: "Connection Lost", retryable: true },
	runtime_incompatible: { status: 409, title: "Runtime Incompatible", retryable: false },
	runtime_missing: { status: 500, title: "Runtime Missing", retryable: false },
	node_missing: {
		status: 500,
		title: "Node Missing",
		retryable: false,
		hint: "use an image that has Node 20 or newer on its PATH",
	},
	capability_unsupported: { status: 501, title: "Capability Unsupported", retryable: false },
	provider_unavailable: { status: 503, title: "Provider Unavailable", retryable: true },
	provider_failed: { status: 502, title: "Provider Failed", retryable: false },
	provider_invalid: { status: 400, title: "Provider Invalid", retryable: false },
	peer_missing: { status: 500, title: "Package Missing", retryable: false },
	image_not_found: { status: 404, title: "Image Not Found", retryable: false },
	platform_unsupported: { status: 501, title: "Platform Unsupported", retryable: false },
	credentials_missing: { status: 401, title: "Credentials Missing", retryable: false },
	pty_unavailable: {
		status: 501,
		title: "PTY Unavailable",
		retryable: false,
		hint: "start the process without `tty`",
	},
	// Sessions and their store.
	store_failed: { status: 500, title: "Store Failed", retryable: true },
	record_unsupported: {
		status: 409,
		title: "Record Unsupported",
		retryable: false,
		hint: "the record was written by a newer version: update this package",
	},
	lease_lost: {
		status: 409,
		title: "Lease Lost",
		retryable: false,
		hint: "another client drives the session now: nothing of this call was written or sent",
	},
	session_in_use: {
		status: 409,
		title: "Session In Use",
		retryable: true,
		hint: "another client drives the session: observe it, wait for its lease to lapse, or take it over with force",
	},
	turn_in_progress: {
		status: 409,
		title: "Turn In Progress",
		retryable: true,
		hint: "wait for the running turn, cancel it, or send with overlap 'queue'",
	},
	resume_refused: {
		status: 409,
		title: "Resume Refused",
		retryable: false,
		hint: "allow another way with resume.allow, or make a new session",
	},
	capsule_mismatch: { status: 409, title: "Capsule Mismatch", retryable: false },
	capsule_invalid: { status: 422, title: "Capsule Invalid", retryable: false },
	capsule_too_large: { status: 413, title: "Capsule Too Large", retryable: false },
	// The client.
	client_disposed: {
		status: 409,
		title: "Client Disposed",
		retryable: false,
		hint: "dispose() is final: make a new client",
	},
	session_destroyed: {
		status: 410,
		title: "Session Destroyed",
		retryable: false,
		hint: "resumeSession() brings a destroyed session back",
	},
} as const satisfies Record<string, ErrorCode>;

/** The name of one kind of failure. */
export type SandboxAgentErrorCode = keyof typeof ERROR_CODES;

/** Whether a string read from the wire is a code this build knows. */
export function isErrorCode(value: string): value is SandboxAgentErrorCode {
	return Object.hasOwn(ERROR_CODES, value);
}
