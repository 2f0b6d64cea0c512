import { SandboxAgentError } from "@sandbox-agent/core/errors";
import type { OperationOptions } from "@sandbox-agent/core/provider";
import type { DockerDaemon } from "./daemon.ts";
import { mapDockerError, reasonOf, statusOf } from "./docker-error.ts";

/** One line of the daemon's pull stream. */
interface PullEvent {
	readonly id?: string;
	readonly status?: string;
	readonly progressDetail?: { readonly current?: number; readonly total?: number };
}

/** Pauses between reports, so that a fast pull does not flood the listener. */
const REPORT_EVERY_MS = 200;

/**
 * Loads an image onto the daemon's machine, reporting the bytes of all layers together.
 * @throws image_not_found when the registry does not have it or cannot be asked
 */
export async function pullImage(daemon: DockerDaemon, image: string, options: OperationOptions): Promise<void> {
	const { signal, onProgress } = options;
	onProgress?.({ phase: "pull", message: `pulling ${image}` });
	const layers = new Map<string, { current: number; total: number }>();
	let reported = 0;
	try {
		const stream = await daemon.client.pull(image, signal ? { abortSignal: signal } : {});
		await new Promise<void>((resolve, reject) => {
			const finish = (error: Error | null) => (error ? reject(error) : resolve());
			daemon.client.modem.followProgress(stream, finish, (event: PullEvent) => {
				const { id, progressDetail } = event;
				if (id === undefined || progressDetail?.total === undefined) return;
				layers.set(id, { current: progressDetail.current ?? 0, total: progressDetail.total });
				if (Date.now() - reported < REPORT_EVERY_MS) return;
				reported = Date.now();
				onProgress?.({ phase: "pull", message: `pulling ${image}`, ...sum(layers.values()) });
			});
		});
	} catch (error) {
		if (signal?.aborted) throw signal.reason;
		throw pullError(daemon, image, error);
	}
	onProgress?.({ phase: "pull", message: `pulled ${image}`, ...sum(layers.values()) });
}

function sum(layers: Iterable<{ current: number; total: number }>): { bytes: number; totalBytes: number } {
	let bytes = 0;
	let totalBytes = 0;
	for (const layer of layers) {
		bytes += layer.current;
		totalBytes += layer.total;
	}
	return { bytes, totalBytes };
}

function pullError(daemon: DockerDaemon, image: string, cause: unknown): unknown {
	const status = statusOf(cause);
	const mapped = mapDockerError(cause, { doing: `pulling ${image}`, address: daemon.address });
	// The daemon itself is not there: that says nothing about the image.
	if (status === undefined && cause instanceof Error && "code" in cause) return mapped;
	return new SandboxAgentError(
		"image_not_found",
		`[docker] the image ${image} is not on the daemon's machine and pulling it failed: ${reasonOf(cause)}`,
		{
			cause,
			details: { image },
			retryable: status === undefined || status >= 500,
			hint: "check the name, run `docker login` for a private registry, or load the image by hand",
		},
	);
}
