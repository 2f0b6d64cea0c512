// The real parts that integration tests need: a Docker daemon with images, PostgreSQL, Redis, a browser, network
// namespaces.
//
//   node scripts/test-services.mjs                      start them, print how to find them, stop at Ctrl-C
//   node scripts/test-services.mjs -- vitest run x      run a command with them
//   node scripts/test-services.mjs --no-install         install nothing, even as root
//
// Everything that is started is the tests' own and ends with this process, also when it is killed.
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startDockerDaemon } from "../test/services/docker-daemon.mjs";
import { findProgram, installMissing, missingParts } from "../test/services/packages.mjs";
import { startPostgres } from "../test/services/postgres.mjs";
import { startRedis } from "../test/services/redis.mjs";

/**
 * Starts what can be started.
 * @param {{ install: boolean, say: (text: string) => void }} options
 * @returns {Promise<{ environment: Record<string, string>, missing: { name: string, reason: string }[], stop: () => Promise<void> }>}
 *   `environment` is what tests find the parts by; `SANDBOX_AGENT_TEST_SERVICES` in it is a JSON text with
 *   `{ <part>: { available, reason? } }`.
 */
export async function startTestServices({ install, say }) {
	const refusal = installMissing({ install, say });
	const absent = new Map(missingParts().map((part) => [part.name, part]));
	const reasonFor = (name) => {
		const part = absent.get(name);
		if (!part) return undefined;
		const programs = part.programs.filter((program) => !findProgram(program)).join(", ");
		return `${programs} not found${refusal ? ` (${refusal})` : ""}`;
	};
	const environment = {};
	const services = {};
	const stops = [];
	const chromium = findProgram("chromium");
	services.chromium = chromium ? { available: true, path: chromium } : unavailable(reasonFor("chromium"));
	services.namespace = namespaceService();
	const start = async (service) => {
		try {
			return await service({ reasonFor, environment, stops, say });
		} catch (error) {
			return unavailable(error.message);
		}
	};
	services.docker = await start(dockerService);
	services.postgres = await start(postgresService);
	services.redis = await start(redisService);
	environment.SANDBOX_AGENT_TEST_SERVICES = JSON.stringify(services);
	return {
		environment,
		missing: Object.entries(services).flatMap(([name, { available, reason }]) => (available ? [] : [{ name, reason }])),
		async stop() {
			for (const stop of stops.reverse()) await stop();
		},
	};
}

async function dockerService({ reasonFor, environment, stops, say }) {
	const reason = reasonFor("docker") ?? reasonFor("ip") ?? reasonFor("debootstrap");
	if (reason) return unavailable(reason);
	if (process.getuid?.() !== 0) return unavailable("not root: a Docker daemon of the tests' own needs root");
	const { createTestImages, IMAGES } = await import("../test/services/test-image.mjs");
	const daemon = await startDockerDaemon(temporaryFolder("dockerd-"));
	stops.push(daemon.stop);
	await createTestImages(daemon.dockerHost, say);
	environment.DOCKER_HOST = daemon.dockerHost;
	environment.SANDBOX_AGENT_TEST_IMAGE = IMAGES.node;
	environment.SANDBOX_AGENT_TEST_IMAGE_WITHOUT_NODE = IMAGES.withoutNode;
	return { available: true, dockerHost: daemon.dockerHost };
}

async function postgresService({ reasonFor, environment, stops }) {
	const reason = reasonFor("postgres");
	if (reason) return unavailable(reason);
	const server = await startPostgres(temporaryFolder("postgres-"));
	stops.push(server.stop);
	environment.SANDBOX_AGENT_TEST_POSTGRES = server.connectionString;
	return { available: true };
}

async function redisService({ reasonFor, environment, stops }) {
	const reason = reasonFor("redis");
	if (reason) return unavailable(reason);
	const server = await startRedis(temporaryFolder("redis-"));
	stops.push(server.stop);
	environment.SANDBOX_AGENT_TEST_REDIS = server.socketPath;
	return { available: true };
}

/** Directly in the temp folder of the system where ours is deep: a socket's path is limited to 107 characters. */
function temporaryFolder(prefix) {
	return mkdtempSync(join(tmpdir().length > 60 ? "/tmp" : tmpdir(), prefix));
}

function namespaceService() {
	const args = process.getuid?.() === 0 ? ["--net", "true"] : ["--map-root-user", "--net", "true"];
	const { status, stderr, error } = spawnSync("unshare", args, { encoding: "utf8" });
	if (status === 0) return { available: true };
	return unavailable(`no network namespace can be made: ${(error?.message ?? stderr).trim()}`);
}

function unavailable(reason) {
	return { available: false, reason };
}

async function main() {
	const separator = process.argv.indexOf("--");
	const command = separator < 0 ? [] : process.argv.slice(separator + 1);
	const own = separator < 0 ? process.argv : process.argv.slice(0, separator);
	const services = await startTestServices({ install: !own.includes("--no-install"), say: console.log });
	for (const { name, reason } of services.missing) console.log(`missing: ${name}: ${reason}`);
	let code = 0;
	const [file, ...args] = command;
	if (file) code = await runCommand(file, args, services.environment);
	else {
		for (const [name, value] of Object.entries(services.environment)) console.log(`export ${name}='${value}'`);
		console.log("running; Ctrl-C stops them");
		await new Promise((resolve) => {
			const alive = setInterval(() => undefined, 60_000);
			for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => resolve(clearInterval(alive)));
		});
	}
	await services.stop();
	process.exit(code);
}

function runCommand(file, args, environment) {
	return new Promise((resolve) => {
		const child = spawn(file, args, { stdio: "inherit", env: { ...process.env, ...environment } });
		for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => child.kill(signal));
		child.once("error", (error) => {
			console.error(`${file}: ${error.message}`);
			resolve(127);
		});
		child.once("exit", (status) => resolve(status ?? 1));
	});
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
