import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

/** A program in one file, with what it takes from outside. */
export interface Bundle {
	readonly code: string;
	/** Modules it imports, which a browser or worker does not have. */
	readonly external: readonly string[];
}

/**
 * Bundles a program of this folder with the built packages, the way an application does it.
 *
 * @param entry file name in this folder
 * @param condition the place it is for
 */
export async function bundle(entry: string, condition: "browser" | "workerd"): Promise<Bundle> {
	const build = await rolldown({
		input: fileURLToPath(new URL(entry, import.meta.url)),
		platform: "browser",
		resolve: { conditionNames: [condition, "import", "default"] },
		logLevel: "silent",
	});
	try {
		const { output } = await build.generate({ format: "esm", codeSplitting: false });
		const [chunk] = output;
		return { code: chunk.code, external: [...chunk.imports, ...chunk.dynamicImports] };
	} finally {
		await build.close();
	}
}

/** The first import of a built-in of Node in a program, however it is written. */
export function nodeImport({ code }: Bundle): string | undefined {
	return /(?:from|import|require)\s*\(?\s*["']node:[^"']*["']/.exec(code)?.[0];
}
