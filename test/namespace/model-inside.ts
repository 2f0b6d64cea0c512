import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { LoggedRequest } from "../scripted-model/request-log.ts";
import type { NetworkNamespace } from "./network-namespace.ts";

const LOG_PATH = "/__scripted/requests";

/** A scripted model that runs inside a namespace. */
export interface ModelInside extends AsyncDisposable {
	/** Reachable from inside only. */
	readonly url: string;
	/** The requests so far, oldest first. */
	requests(): Promise<LoggedRequest[]>;
	/** Forgets the requests. */
	clear(): Promise<void>;
	close(): Promise<void>;
}

/** Starts a scripted model on the loopback of a namespace. */
export async function startModelInside(namespace: NetworkNamespace): Promise<ModelInside> {
	const main = fileURLToPath(new URL("../scripted-model/main.ts", import.meta.url));
	const [command, args] = namespace.spawnArguments(process.execPath, [main]);
	const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
	const [line] = await once(child.stdout, "data");
	const { url }: { url: string } = JSON.parse(String(line));
	const close = async () => {
		if (child.exitCode !== null || child.signalCode !== null) return;
		const ended = once(child, "exit");
		child.kill("SIGTERM");
		await ended;
	};
	return {
		url,
		// Written by our own program.
		requests: async () => (await namespace.fetchJson(`${url}${LOG_PATH}`)) as LoggedRequest[],
		clear: async () => {
			await namespace.fetchJson(`${url}${LOG_PATH}`, "DELETE");
		},
		close,
		[Symbol.asyncDispose]: close,
	};
}
