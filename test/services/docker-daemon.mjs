// A Docker daemon of the tests' own: data, socket, network and processes are its own and vanish with it.
//
// Run as a program it is the supervisor of one daemon: it prints one JSON line when the daemon answers, and stops it and
// removes everything when its standard input closes, which the system does however the test run ends.
import { spawn, spawnSync } from "node:child_process";
import { createWriteStream, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const READY_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 15_000;
/** Tried in order: overlay2 does not work on every file system, vfs does and is slow. */
const STORAGE_DRIVERS = ["overlay2", "vfs"];

/**
 * Starts a daemon under its own supervisor.
 * @param {string} directory an empty folder; socket paths are limited to 107 characters, so keep it short
 * @returns {Promise<{ dockerHost: string, stop: () => Promise<void> }>}
 */
export function startDockerDaemon(directory) {
	return new Promise((resolve, reject) => {
		const supervisor = spawn(process.execPath, [fileURLToPath(import.meta.url), directory], {
			stdio: ["pipe", "pipe", "inherit"],
			detached: true,
		});
		const exited = new Promise((settle) => supervisor.once("exit", settle));
		const lines = createInterface({ input: supervisor.stdout });
		const stop = async () => {
			supervisor.stdin.end();
			await exited;
		};
		lines.once("line", (line) => {
			const { dockerHost, error } = JSON.parse(line);
			if (error) stop().then(() => reject(new Error(error)), reject);
			else resolve({ dockerHost, stop });
		});
		supervisor.once("error", reject);
		void exited.then((code) => reject(new Error(`the supervisor of the Docker daemon ended with ${code}`)));
	});
}

/** One request to the daemon's API. @returns {Promise<{ status: number, body: string }>} */
function api(socketPath, method, path) {
	return new Promise((resolve, reject) => {
		const call = request({ socketPath, method, path, timeout: 10_000 }, (response) => {
			let body = "";
			response.setEncoding("utf8");
			response.on("data", (chunk) => {
				body += chunk;
			});
			response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
			response.on("error", reject);
		});
		call.on("timeout", () => call.destroy(new Error("the Docker daemon does not answer")));
		call.on("error", reject);
		call.end();
	});
}

/** The third number of a 10.x.y.0/24 that no interface of this machine uses. */
function freeSubnet(first) {
	// Node lists no bridge without a member, and that is what the bridge of another run may be at this moment.
	const used = must("ip", ["-o", "-4", "addr", "show"]);
	// Where to begin differs from run to run: two that look at the same time find different ones.
	for (let step = 0; step < 256; step++) {
		const third = (process.pid + step) % 256;
		if (!used.includes(` 10.${first}.${third}.`)) return third;
	}
	throw new Error(`every network in 10.${first}.0.0/16 is taken`);
}

function must(program, args) {
	const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: "utf8" });
	if (status !== 0) throw new Error(`${program} ${args.join(" ")}: ${(error?.message ?? stderr).trim()}`);
	return stdout;
}

/** A bridge of the daemon's own, so that it neither shares nor changes the one of another daemon. */
function createBridge() {
	const name = `sat${process.pid}`.slice(0, 15);
	must("ip", ["link", "add", name, "type", "bridge"]);
	must("ip", ["addr", "add", `10.213.${freeSubnet(213)}.1/24`, "dev", name]);
	must("ip", ["link", "set", name, "up"]);
	return name;
}

/** Runs as the supervisor. */
async function supervise(directory) {
	const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
	const socket = join(directory, "docker.sock");
	const logPath = join(directory, "dockerd.log");
	let bridge;
	let daemon;
	let stopping;
	const end = new Promise((resolve) => {
		process.stdin.resume();
		process.stdin.once("end", resolve);
		process.stdin.once("error", resolve);
		for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"]) process.on(signal, resolve);
	});
	const stop = () => {
		stopping ??= (async () => {
			await removeObjects(socket);
			await endDaemon(daemon);
			killUsersOf(directory);
			unmountBelow(directory);
			if (bridge) spawnSync("ip", ["link", "delete", bridge]);
			rmSync(directory, { recursive: true, force: true });
		})();
		return stopping;
	};
	try {
		mkdirSync(directory, { recursive: true });
		bridge = createBridge();
		for (const driver of STORAGE_DRIVERS) {
			daemon = spawnDaemon({ directory, socket, logPath, bridge, driver });
			if (await answers(socket, daemon)) break;
			await endDaemon(daemon);
			daemon = undefined;
		}
		if (!daemon) throw new Error(`dockerd does not start:\n${tail(logPath)}`);
		say({ dockerHost: `unix://${socket}` });
	} catch (error) {
		say({ error: error.message });
	}
	await end;
	await stop();
}

/**
 * No firewall rules and no forwarding: published ports go through the user-land proxy, and containers reach nothing but
 * this machine.
 */
function spawnDaemon({ directory, socket, logPath, bridge, driver }) {
	const args = [
		...["--data-root", join(directory, "data"), "--exec-root", join(directory, "exec")],
		...["--pidfile", join(directory, "docker.pid"), "--host", `unix://${socket}`],
		...["--storage-driver", driver, "--bridge", bridge],
		...["--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false"],
		...["--default-address-pool", "base=10.214.0.0/16,size=24"],
	];
	// It logs to a pipe into a file: the file can be read when the daemon did not start.
	const child = spawn("dockerd", args, {
		// Whatever the daemon and its containerd leave in the temp folder goes away with the rest.
		env: { ...process.env, TMPDIR: directory },
		stdio: ["ignore", "pipe", "pipe"],
		detached: true,
	});
	const log = createWriteStream(logPath, { flags: "a" });
	child.stdout.pipe(log, { end: false });
	child.stderr.pipe(log, { end: false });
	child.exited = new Promise((resolve) => {
		child.once("exit", resolve);
		child.once("error", (error) => {
			log.write(`${error.message}\n`);
			resolve(undefined);
		});
	});
	return child;
}

async function answers(socket, daemon) {
	let dead = false;
	daemon.exited.then(() => {
		dead = true;
	});
	for (const deadline = Date.now() + READY_TIMEOUT_MS; Date.now() < deadline && !dead; ) {
		const reply = await api(socket, "GET", "/_ping").catch(() => undefined);
		if (reply?.status === 200) return true;
		await new Promise((resolve) => setTimeout(resolve, 50));
	}
	return false;
}

/** Containers and networks, whose processes and interfaces would outlive the daemon. */
async function removeObjects(socket) {
	if (!existsSync(socket)) return;
	try {
		const containers = JSON.parse((await api(socket, "GET", "/containers/json?all=1")).body);
		for (const { Id } of containers) await api(socket, "DELETE", `/containers/${Id}?force=1&v=1`);
		const networks = JSON.parse((await api(socket, "GET", "/networks")).body);
		for (const { Id, Name } of networks) {
			if (!["bridge", "host", "none"].includes(Name)) await api(socket, "DELETE", `/networks/${Id}`);
		}
	} catch (error) {
		console.error(`test services: cleaning the Docker daemon: ${error.message}`);
	}
}

async function endDaemon(daemon) {
	if (!daemon?.pid) return;
	daemon.kill("SIGTERM");
	const timer = setTimeout(() => {
		try {
			process.kill(-daemon.pid, "SIGKILL");
		} catch (error) {
			if (error.code !== "ESRCH") console.error(`test services: ${error.message}`);
		}
	}, STOP_TIMEOUT_MS);
	await daemon.exited;
	clearTimeout(timer);
}

/** The daemon's own helpers, should any have outlived it: their command lines name this folder, which is ours alone. */
function killUsersOf(directory) {
	for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)) {
		try {
			const command = readFileSync(`/proc/${pid}/cmdline`, "utf8");
			if (command.includes(`${directory}/exec/`)) process.kill(Number(pid), "SIGKILL");
		} catch {
			// It ended meanwhile.
		}
	}
}

function unmountBelow(directory) {
	const mounts = readFileSync("/proc/self/mounts", "utf8")
		.split("\n")
		.map((line) => line.split(" ")[1] ?? "")
		.filter((path) => path.startsWith(`${directory}/`));
	for (const path of mounts.reverse()) spawnSync("umount", ["--lazy", path]);
}

function tail(path) {
	if (!existsSync(path)) return "";
	return readFileSync(path, "utf8").trim().split("\n").slice(-15).join("\n");
}

const directory = process.argv[2];
if (process.argv[1] === fileURLToPath(import.meta.url) && directory) await supervise(directory);
