import { mkdtempSync, readdirSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PathResolver } from "../../../src/files/path-resolver.ts";
import { createFileRoutes } from "../../../src/routes/files.ts";
import { type Answer, call } from "../../server/support/http.ts";
import { AUTHORIZED, startTestApp } from "../../server/support/test-app.ts";

/** What one call of a file route sends. */
export interface FileCall {
	readonly query?: Readonly<Record<string, string>>;
	readonly headers?: Readonly<Record<string, string>>;
	readonly body?: string | Buffer;
}

export type FileServer = Awaited<ReturnType<typeof startFileServer>>;

/** The file routes on a real port, with a folder of their own as working and home directory. */
export async function startFileServer(options: { readonly root?: string } = {}) {
	const folder = realpathSync(mkdtempSync(join(tmpdir(), "sandbox-agent-files-")));
	const home = join(folder, "home");
	const resolver = new PathResolver({
		homeDirectory: home,
		workingDirectory: folder,
		root: options.root && join(folder, options.root),
	});
	const app = await startTestApp({ handlers: createFileRoutes(resolver), maxBodyBytes: 65_536 });
	return {
		port: app.port,
		folder,
		home,
		/** The absolute path of a name in the folder. */
		path: (name: string) => join(folder, name),
		/** Calls `<method> /v1/fs/<route>`. */
		call(method: string, route: string, { query = {}, headers = {}, body }: FileCall = {}): Promise<Answer> {
			const text = new URLSearchParams(query).toString();
			const path = `/v1/fs/${route}${text === "" ? "" : `?${text}`}`;
			return call(app.port, {
				method,
				path,
				headers: { ...AUTHORIZED, ...headers },
				...(body === undefined ? {} : { body }),
			});
		},
		/** Every name below the folder, sorted: what a failure must not have left something among. */
		names: () => readdirSync(folder, { recursive: true, encoding: "utf8" }).sort(),
		async [Symbol.asyncDispose]() {
			await app[Symbol.asyncDispose]();
			rmSync(folder, { recursive: true, force: true });
		},
	};
}
