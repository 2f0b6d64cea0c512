import { defineConfig } from "vitest/config";

const packages = ["core", "providers", "agent-runtime", "sdk", "bench", "test"];
const resolve = { conditions: ["sandbox-agent-source"] };
const ssr = { resolve: { conditions: ["sandbox-agent-source"] } };

/**
 * `unit` needs nothing but Node and the sources. `integration` needs the built bundle and real parts: a Docker daemon,
 * agents from npm, a browser, network namespaces. It runs file by file, because the parts are heavy. `patience` is what
 * has to wait in real time; it runs beside the others.
 */
export default defineConfig({
	test: {
		projects: [
			{
				resolve,
				ssr,
				test: {
					name: "unit",
					include: packages.map((name) => `${name}/**/*.test.ts`),
					exclude: ["**/node_modules/**", "**/dist/**", "**/*.integration.test.ts", "**/*.patience.test.ts"],
					testTimeout: 30_000,
					hookTimeout: 30_000,
				},
			},
			{
				resolve,
				ssr,
				test: {
					name: "integration",
					include: packages.map((name) => `${name}/**/*.integration.test.ts`),
					exclude: ["**/node_modules/**", "**/dist/**"],
					fileParallelism: false,
					testTimeout: 180_000,
					hookTimeout: 300_000,
				},
			},
			{
				resolve,
				ssr,
				test: {
					name: "patience",
					include: ["test/**/*.patience.test.ts"],
					exclude: ["**/node_modules/**"],
				},
			},
		],
	},
});
