import type { PathResolverOptions } from "../files/path-resolver.ts";
import type { FileHandlers } from "../routes/files.ts";

/**
 * The files of this machine. Their code is loaded by the first request that needs it: a server that has just started
 * answers its first health check without it.
 */
export class FilesHost {
	readonly handlers: FileHandlers;
	readonly #options: PathResolverOptions;
	#routes: FileHandlers | undefined;
	#loading: Promise<FileHandlers> | undefined;

	constructor(options: PathResolverOptions) {
		this.#options = options;
		const routes = () => this.#routes ?? this.#load();
		this.handlers = {
			listFsEntries: async (context) => (await routes()).listFsEntries(context),
			readFsFile: async (context) => (await routes()).readFsFile(context),
			writeFsFile: async (context) => (await routes()).writeFsFile(context),
			deleteFsEntry: async (context) => (await routes()).deleteFsEntry(context),
			mkdirFs: async (context) => (await routes()).mkdirFs(context),
			moveFs: async (context) => (await routes()).moveFs(context),
			statFs: async (context) => (await routes()).statFs(context),
			uploadFsBatch: async (context) => (await routes()).uploadFsBatch(context),
			downloadFsArchive: async (context) => (await routes()).downloadFsArchive(context),
		};
	}

	async #load(): Promise<FileHandlers> {
		this.#loading ??= Promise.all([import("../routes/files.ts"), import("../files/path-resolver.ts")]).then(
			([{ createFileRoutes }, { PathResolver }]) => createFileRoutes(new PathResolver(this.#options)),
		);
		this.#routes = await this.#loading;
		return this.#routes;
	}
}
