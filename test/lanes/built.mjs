// The built packages, as they are published, on the runtime that executes this file: Node 20 or Bun.
// Nothing here is compiled or resolved to sources.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { artifact } from "@sandbox-agent/agent-runtime/artifact";
import { persistConformance } from "@sandbox-agent/core/conformance/persist";
import { InMemorySessionPersistDriver, SandboxAgent, SandboxAgentError } from "sandbox-agent";
import { local } from "sandbox-agent/local";
import { SQLiteSessionPersistDriver } from "sandbox-agent/persist/sqlite";
import { check, runCases } from "./cases.mjs";

const isBun = "bun" in process.versions;
const runtime = isBun ? `Bun ${process.versions.bun}` : `Node ${process.versions.node}`;

/** A client of a sandbox of its own, ended whatever happens. */
async function withSandbox(work) {
	const sdk = await SandboxAgent.start({ sandbox: local({ log: "silent" }), timeoutMs: 60_000 });
	try {
		return await work(sdk);
	} finally {
		await sdk.destroySandbox();
	}
}

check(`the bundle runs on ${runtime} [server/one-file]`, async () => {
	// Under Bun the bundle is still run by Node: Bun brings no Node-API for terminals.
	const node = isBun ? "node" : process.execPath;
	const output = execFileSync(node, [fileURLToPath(artifact.url), "--version"], { encoding: "utf8" });
	assert.equal(output.trim(), `sandbox-agent ${artifact.version}`);
});

check(`a turn with permission on ${runtime} [sdk/bun]`, async () => {
	const workspace = mkdtempSync(join(tmpdir(), "sandbox-agent-lane-"));
	try {
		await withSandbox(async (sdk) => {
			const session = await sdk.createSession({ agent: "mock", cwd: workspace });
			session.onPermissionRequest((request) => session.respondPermission(request.id, "once"));
			const texts = [];
			for await (const update of session.stream("write hello.txt from the lane")) {
				if (update.sessionUpdate === "agent_message_chunk") texts.push(update.content.text);
			}
			assert.notEqual(texts.join(""), "");
			assert.match(readFileSync(join(workspace, "hello.txt"), "utf8"), /from the lane/);
		});
	} finally {
		rmSync(workspace, { recursive: true, force: true });
	}
});

check(`three thousand updates in order on ${runtime}`, async () => {
	await withSandbox(async (sdk) => {
		const session = await sdk.createSession({ agent: "mock" });
		let count = 0;
		for await (const update of session.stream("flood 3000 100")) {
			if (update.sessionUpdate === "agent_message_chunk") count += 1;
		}
		assert.ok(count >= 3000, `${count} chunks`);
	});
});

check(`errors keep their code on ${runtime}`, async () => {
	await withSandbox(async (sdk) => {
		const error = await sdk.createSession({ agent: "nobody" }).catch((reason) => reason);
		assert.ok(SandboxAgentError.isInstance(error, "unsupported_agent"), String(error));
	});
});

check(`processes on ${runtime}`, async () => {
	await withSandbox(async (sdk) => {
		const said = [];
		const run = { command: "sh", args: ["-c", "cat; echo err >&2; exit 3"], stdin: "in\n" };
		const result = await sdk.runProcess(run, { onStdout: (text) => said.push(text) });
		assert.deepEqual([result.exitCode, result.stdout, result.stderr], [3, "in\n", "err\n"]);
		assert.equal(said.join(""), "in\n");
		const { id } = await sdk.createProcess({ command: "sh", args: ["-c", "read go; head -c 20000000 /dev/zero"] });
		const stream = sdk.streamProcessLogs(id);
		await sdk.sendProcessInput(id, { data: "\n", encoding: "utf8" });
		let bytes = 0;
		for await (const { data } of stream) bytes += Buffer.from(data, "base64").length;
		assert.equal(bytes, 20_000_000);
		assert.deepEqual(stream.exit, { exitCode: 0 });
	});
});

check(`start() without a provider is a local sandbox on ${runtime}`, async () => {
	const sdk = await SandboxAgent.start({ timeoutMs: 60_000 });
	assert.match(sdk.sandboxId, /^local\//);
	await sdk.destroySandbox();
});

const stores = { leases: true, watch: true, capsules: true };

check(`the store in memory passes its suite on ${runtime} [sdk-persist-conformance]`, async () => {
	const open = async () => new InMemorySessionPersistDriver({ maxEventsPerSession: 2_000 });
	for (const { run } of persistConformance({ open, features: stores })) await run();
});

if (isBun) {
	check(`the store in SQLite passes its suite on ${runtime} [sdk-persist-conformance]`, async () => {
		const folder = mkdtempSync(join(tmpdir(), "sandbox-agent-lane-"));
		const files = new Map();
		const open = async (filename) => {
			const driver = new SQLiteSessionPersistDriver({ filename, watchIntervalMs: 5 });
			files.set(driver, filename);
			return driver;
		};
		const again = (driver) => open(files.get(driver));
		const subject = { open: () => open(join(folder, `${files.size}.sqlite`)), reopen: again, second: again };
		try {
			for (const { run } of persistConformance({ ...subject, features: stores })) await run();
		} finally {
			rmSync(folder, { recursive: true, force: true });
		}
	});
} else {
	check(`a platform without SQLite says what to do: ${runtime}`, async () => {
		assert.throws(() => new SQLiteSessionPersistDriver(), /better-sqlite3/);
	});
}

await runCases();
