import { SandboxAgentError } from "@sandbox-agent/core/errors";
import { kindOfStatus, ProviderError, sandboxDestroyed } from "@sandbox-agent/core/provider";

const NAME = "docker";
/** Node's codes for a daemon that is not there. */
const ABSENT: ReadonlySet<string> = new Set(["ENOENT", "ECONNREFUSED", "ENOTFOUND", "EHOSTUNREACH", "ETIMEDOUT"]);
const FORBIDDEN: ReadonlySet<string> = new Set(["EACCES", "EPERM"]);
/** Connections that broke while the daemon may already have acted. */
const BROKEN: ReadonlySet<string> = new Set(["ECONNRESET", "EPIPE"]);
/** What runc, and docker-init when the container has one, say about a command that is not there. */
const NO_PROGRAM =
	/exec:? "?node"?:? (?:executable file not found|failed: No such file)|"node": executable file not found/i;

/** A 404 also stands for a missing network, volume or file; only the text tells which. */
const NO_CONTAINER = /no such container/i;

/** What was attempted, for the message and for what a 404 means. */
export interface DockerOperation {
	/** Verb phrase, for example `creating the container`. */
	readonly doing: string;
	readonly address: string;
	/** Set when the operation is about an existing container, which may turn out to be gone. */
	readonly containerId?: string | undefined;
	readonly image?: string | undefined;
}

/** Translates what dockerode throws: by Node's code, then by status; by text only where the daemon offers nothing else. */
export function mapDockerError(error: unknown, operation: DockerOperation): unknown {
	if (!(error instanceof Error) || SandboxAgentError.isInstance(error) || error.name === "AbortError") return error;
	const { doing, address, containerId, image } = operation;
	const code = codeOf(error);
	if (code !== undefined && ABSENT.has(code)) {
		return new ProviderError(NAME, "unavailable", `no Docker daemon answers at ${address} (${code})`, {
			cause: error,
			hint: "start Docker, or set DOCKER_HOST to the address of a running daemon",
		});
	}
	if (code !== undefined && FORBIDDEN.has(code)) {
		return new ProviderError(NAME, "auth", `no permission to use the Docker daemon at ${address} (${code})`, {
			cause: error,
			hint: "add your user to the group of the socket (usually `docker`), or use rootless Docker and DOCKER_HOST",
		});
	}
	if (code !== undefined && BROKEN.has(code)) {
		return new ProviderError(NAME, "unavailable", `the connection to ${address} broke while ${doing} (${code})`, {
			cause: error,
			ambiguous: true,
		});
	}
	const status = statusOf(error);
	const reason = reasonOf(error);
	if (image !== undefined && isNodeMissing(reason)) return nodeMissing(image, error);
	if (status === 404 && containerId !== undefined && NO_CONTAINER.test(reason))
		return sandboxDestroyed(NAME, containerId, { cause: error });
	const kind = status === undefined ? "unknown" : kindOfStatus(status);
	return new ProviderError(NAME, kind, `${doing} failed: ${reason}`, { cause: error });
}

/** Whether the text of a failed container start says that there is no `node` in it. */
export function isNodeMissing(text: string): boolean {
	return NO_PROGRAM.test(text);
}

/** The error of an image that cannot run the server. */
export function nodeMissing(image: string, cause?: unknown): SandboxAgentError {
	return new SandboxAgentError("node_missing", `[${NAME}] the image ${image} has no \`node\` on its PATH`, {
		cause,
		details: { image },
	});
}

/** HTTP status of the daemon's answer. */
export function statusOf(error: unknown): number | undefined {
	if (typeof error !== "object" || error === null || !("statusCode" in error)) return undefined;
	return typeof error.statusCode === "number" ? error.statusCode : undefined;
}

/** The daemon's own words, without dockerode's frame around them. */
export function reasonOf(error: unknown): string {
	if (typeof error === "object" && error !== null && "json" in error) {
		const { json } = error;
		if (typeof json === "object" && json !== null && "message" in json && typeof json.message === "string") {
			return json.message.trim();
		}
	}
	return error instanceof Error ? error.message : String(error);
}

function codeOf(error: Error): string | undefined {
	return "code" in error && typeof error.code === "string" ? error.code : undefined;
}
