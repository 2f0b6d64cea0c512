// A PostgreSQL server of the tests' own: its data, its port and its processes vanish with it. It keeps the settings it
// comes with, `fsync` included: what is measured and broken here is what users run.
//
// Run as a program it is the supervisor of one server: it prints one JSON line when the server answers and one more for
// each restart it is asked for on its standard input, and stops the server and removes everything when that closes,
// which the system does however the test run ends.
import { spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chownSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { findProgram } from "./packages.mjs";

const READY_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 15_000;
/** Between the choice of a free port and its use somebody else may take it. */
const PORT_TRIES = 5;

/**
 * Starts a server under its own supervisor.
 * @param {string} directory an empty folder that other users can enter; socket paths are limited to 107 characters
 */
export function startPostgres(directory) {
	return new Promise((resolve, reject) => {
		const supervisor = spawn(process.execPath, [fileURLToPath(import.meta.url), directory], {
			stdio: ["pipe", "pipe", "inherit"],
			detached: true,
		});
		const exited = new Promise((settle) => supervisor.once("exit", settle));
		const lines = createInterface({ input: supervisor.stdout });
		/** The next answer of the supervisor. */
		const answer = () =>
			new Promise((settle, fail) => {
				lines.once("line", (line) => {
					const message = JSON.parse(line);
					if (message.error) fail(new Error(message.error));
					else settle(message);
				});
				void exited.then((code) => fail(new Error(`the supervisor of PostgreSQL ended with ${code}`)));
			});
		const stop = async () => {
			supervisor.stdin.end();
			await exited;
		};
		const restart = async () => {
			const done = answer();
			supervisor.stdin.write("restart\n");
			await done;
		};
		supervisor.once("error", reject);
		answer().then(
			(message) => resolve({ ...message, restart, stop }),
			(error) => stop().then(() => reject(error), reject),
		);
	});
}

/** Whom the server runs as: PostgreSQL refuses to run as root. Nothing: as we do. */
function otherUser() {
	if (process.getuid?.() !== 0) return {};
	const users = readFileSync("/etc/passwd", "utf8")
		.split("\n")
		.map((line) => line.split(":"));
	const found = ["postgres", "nobody"].map((name) => users.find((user) => user[0] === name)).find(Boolean);
	if (!found) throw new Error("PostgreSQL does not run as root, and there is no user postgres or nobody");
	return { uid: Number(found[2]), gid: Number(found[3]) };
}

function freePort() {
	return new Promise((resolve, reject) => {
		const server = createServer();
		server.once("error", reject);
		server.listen(0, "127.0.0.1", () => {
			const { port } = server.address();
			server.close(() => resolve(port));
		});
	});
}

/** Runs as the supervisor. */
async function supervise(directory) {
	const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
	let server;
	let working = Promise.resolve();
	const commands = createInterface({ input: process.stdin });
	const end = new Promise((resolve) => {
		commands.once("close", resolve);
		for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"]) process.on(signal, resolve);
	});
	try {
		const password = randomBytes(16).toString("hex");
		const user = otherUser();
		createCluster(directory, user, password);
		const port = await startSomewhere(async (chosen) => {
			server = await startServer(directory, user, chosen);
		});
		commands.on("line", () => {
			working = working.then(async () => {
				await endServer(server, "SIGQUIT");
				server = await startServer(directory, user, port);
				say({});
			});
			working.catch((error) => say({ error: error.message }));
		});
		say({
			connectionString: `postgres://postgres:${password}@127.0.0.1:${port}/postgres`,
			socketDirectory: directory,
			port,
			password,
		});
	} catch (error) {
		say({ error: error.message });
	}
	await end;
	await working.catch(() => undefined);
	await endServer(server, "SIGINT");
	rmSync(directory, { recursive: true, force: true });
	process.exit(0);
}

/** Passwords over every way in: while the tests run, other users of the machine reach the port too. */
function createCluster(directory, user, password) {
	mkdirSync(directory, { recursive: true });
	const passwordFile = join(directory, "password");
	writeFileSync(passwordFile, password, { mode: 0o600 });
	if (user.uid !== undefined) {
		chownSync(directory, user.uid, user.gid);
		chownSync(passwordFile, user.uid, user.gid);
	}
	const args = [
		"--pgdata",
		join(directory, "data"),
		"--username",
		"postgres",
		"--encoding",
		"UTF8",
		"--locale",
		"C.UTF-8",
	];
	const made = spawnSync(findProgram("initdb"), [...args, "--auth", "scram-sha-256", "--pwfile", passwordFile], {
		...user,
		cwd: directory,
		encoding: "utf8",
	});
	rmSync(passwordFile);
	if (made.status !== 0) throw new Error(`initdb: ${(made.error?.message ?? made.stderr).trim()}`);
}

/** PostgreSQL cannot choose a free port itself. */
async function startSomewhere(start) {
	for (let attempt = 1; ; attempt++) {
		const port = await freePort();
		try {
			await start(port);
			return port;
		} catch (error) {
			if (attempt === PORT_TRIES || !error.message.includes("Address already in use")) throw error;
		}
	}
}

/** Resolves when the server takes connections: it says so in its own file beside its process id. */
async function startServer(directory, user, port) {
	const data = join(directory, "data");
	const logPath = join(directory, "postgres.log");
	const log = openSync(logPath, "w");
	const child = spawn(
		findProgram("postgres"),
		["-D", data, "-p", String(port), "-k", directory, "-c", "listen_addresses=127.0.0.1"],
		{ ...user, cwd: directory, stdio: ["ignore", log, log], detached: true },
	);
	let dead = false;
	child.exited = new Promise((resolve) => {
		child.once("exit", resolve);
		child.once("error", resolve);
	}).then(() => {
		dead = true;
	});
	for (const deadline = Date.now() + READY_TIMEOUT_MS; Date.now() < deadline && !dead; ) {
		if (stateOf(data, child.pid) === "ready") return child;
		await new Promise((resolve) => setTimeout(resolve, 20));
	}
	await endServer(child, "SIGINT");
	throw new Error(
		`PostgreSQL does not start:\n${readFileSync(logPath, "utf8").trim().split("\n").slice(-15).join("\n")}`,
	);
}

/** The last line of `postmaster.pid`, when it is about this process. */
function stateOf(data, pid) {
	try {
		const lines = readFileSync(join(data, "postmaster.pid"), "utf8").split("\n");
		return Number(lines[0]) === pid ? lines[7]?.trim() : undefined;
	} catch {
		// Not written yet.
		return undefined;
	}
}

async function endServer(server, signal) {
	if (!server?.pid) return;
	server.kill(signal);
	const timer = setTimeout(() => server.kill("SIGKILL"), STOP_TIMEOUT_MS);
	await server.exited;
	clearTimeout(timer);
}

const directory = process.argv[2];
if (process.argv[1] === fileURLToPath(import.meta.url) && directory) await supervise(directory);
