import { PassThrough } from "node:stream";
import type { ExecOptions, ExecResult } from "@sandbox-agent/core/provider";
import { deadline } from "@sandbox-agent/core/util";
import type Docker from "dockerode";

/**
 * Runs a command to its end. A time-out or an abort ends the wait; Docker has no way to end the command itself.
 */
export async function execInContainer(
	client: Docker,
	container: Docker.Container,
	command: string,
	options: ExecOptions,
): Promise<ExecResult> {
	const limit = deadline({
		signal: options.signal,
		timeoutMs: options.timeoutMs,
		onTimeout: (timeoutMs) => new Error(`the command did not end within ${timeoutMs} ms`),
	});
	try {
		limit.signal?.throwIfAborted();
		const exec = await container.exec({
			...execOptions(command, options),
			AttachStdout: true,
			AttachStderr: true,
			AttachStdin: options.stdin !== undefined,
		});
		const stream = await exec.start({ hijack: true, stdin: options.stdin !== undefined });
		const stdout = collector();
		const stderr = collector();
		client.modem.demuxStream(stream, stdout.stream, stderr.stream);
		if (options.stdin !== undefined) stream.end(options.stdin);
		await ended(stream, limit.signal);
		const { ExitCode } = await exec.inspect();
		return { exitCode: ExitCode ?? -1, stdout: stdout.text(), stderr: stderr.text() };
	} finally {
		limit.clear();
	}
}

/** Starts a command and leaves it running. */
export async function spawnInContainer(
	container: Docker.Container,
	command: string,
	options: ExecOptions,
): Promise<void> {
	const exec = await container.exec(execOptions(command, options));
	await exec.start({ Detach: true });
}

function execOptions(command: string, options: ExecOptions): Docker.ExecCreateOptions {
	return {
		Cmd: ["/bin/sh", "-c", command],
		Env: Object.entries(options.env ?? {}).map(([name, value]) => `${name}=${value}`),
		...(options.user === undefined ? {} : { User: options.user }),
		...(options.cwd === undefined ? {} : { WorkingDir: options.cwd }),
	};
}

function collector(): { stream: PassThrough; text: () => string } {
	const stream = new PassThrough();
	const chunks: Buffer[] = [];
	stream.on("data", (chunk: Buffer) => chunks.push(chunk));
	return { stream, text: () => Buffer.concat(chunks).toString("utf8") };
}

/** Resolves when everything that held the command's output has let go of it. */
function ended(stream: NodeJS.ReadWriteStream & { destroy(): void }, signal: AbortSignal | undefined): Promise<void> {
	return new Promise((resolve, reject) => {
		const onAbort = () => {
			stream.destroy();
			reject(signal?.reason);
		};
		if (signal?.aborted) onAbort();
		else signal?.addEventListener("abort", onAbort, { once: true });
		const settle = (finish: () => void) => () => {
			signal?.removeEventListener("abort", onAbort);
			finish();
		};
		stream.on("end", settle(resolve));
		stream.on("close", settle(resolve));
		stream.on("error", (error: Error) => settle(() => reject(error))());
	});
}
