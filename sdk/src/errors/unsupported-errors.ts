import { SandboxAgentError } from "@sandbox-agent/core/errors";

/** The agent offers no option of this category, for example no choice of a model. */
export class UnsupportedSessionCategoryError extends SandboxAgentError<"invalid_request"> {
	readonly sessionId: string;
	readonly category: string;
	/** Sorted. */
	readonly availableCategories: string[];

	constructor(sessionId: string, category: string, availableCategories: readonly string[]) {
		const available = [...availableCategories].sort();
		const known = available.length > 0 ? `it offers ${available.join(", ")}` : "it offers none";
		super("invalid_request", `session '${sessionId}' has no option of category '${category}': ${known}`, {
			details: { sessionId, category, availableCategories: available },
		});
		this.name = "UnsupportedSessionCategoryError";
		this.sessionId = sessionId;
		this.category = category;
		this.availableCategories = available;
	}
}

/** The option exists but does not know this value. */
export class UnsupportedSessionValueError extends SandboxAgentError<"invalid_request"> {
	readonly sessionId: string;
	readonly category: string;
	readonly configId: string;
	readonly requestedValue: string;
	readonly allowedValues: string[];

	constructor(
		sessionId: string,
		category: string,
		configId: string,
		requestedValue: string,
		allowedValues: readonly string[],
	) {
		super(
			"invalid_request",
			`session '${sessionId}' does not support value '${requestedValue}' of ${category} (option '${configId}'): ` +
				`allowed are ${allowedValues.join(", ")}`,
			{ details: { sessionId, category, configId, requestedValue, allowedValues: [...allowedValues] } },
		);
		this.name = "UnsupportedSessionValueError";
		this.sessionId = sessionId;
		this.category = category;
		this.configId = configId;
		this.requestedValue = requestedValue;
		this.allowedValues = [...allowedValues];
	}
}

/** The agent has no option with this id. */
export class UnsupportedSessionConfigOptionError extends SandboxAgentError<"invalid_request"> {
	readonly sessionId: string;
	readonly configId: string;
	readonly availableConfigIds: string[];

	constructor(sessionId: string, configId: string, availableConfigIds: readonly string[]) {
		const known = availableConfigIds.length > 0 ? `it has ${availableConfigIds.join(", ")}` : "it has none";
		super("invalid_request", `session '${sessionId}' has no config option '${configId}': ${known}`, {
			details: { sessionId, configId, availableConfigIds: [...availableConfigIds] },
		});
		this.name = "UnsupportedSessionConfigOptionError";
		this.sessionId = sessionId;
		this.configId = configId;
		this.availableConfigIds = [...availableConfigIds];
	}
}

/** The agent offered no option of this kind; the request stays open for another answer. */
export class UnsupportedPermissionReplyError extends SandboxAgentError<"invalid_request"> {
	readonly permissionId: string;
	readonly requestedReply: string;
	readonly availableReplies: string[];

	constructor(permissionId: string, requestedReply: string, availableReplies: readonly string[]) {
		const known = availableReplies.length > 0 ? `it takes ${availableReplies.join(", ")}` : "it takes none";
		super("invalid_request", `permission '${permissionId}' does not take the reply '${requestedReply}': ${known}`, {
			details: { permissionId, requestedReply, availableReplies: [...availableReplies] },
		});
		this.name = "UnsupportedPermissionReplyError";
		this.permissionId = permissionId;
		this.requestedReply = requestedReply;
		this.availableReplies = [...availableReplies];
	}
}
