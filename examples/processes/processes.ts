/**
 * Running commands in a sandbox: one to its end, one that is watched and written to, and one that does not want to end.
 */
import assert from "node:assert/strict";
import { SandboxAgent } from "sandbox-agent";
import { local } from "sandbox-agent/local";

const sdk = await SandboxAgent.start({ sandbox: local({ log: "silent" }) });
try {
	await runToItsEnd();
	await giveUp();
	await talkTo();
	await endWithChildren();
	console.log("processes: ok");
} finally {
	await sdk.destroySandbox();
}

/** Output is told as it comes, and is in the result too. */
async function runToItsEnd(): Promise<void> {
	const result = await sdk.runProcess(
		{ command: "sort", stdin: "pear\napple\n" },
		{ onStdout: (text) => process.stdout.write(text) },
	);
	assert.equal(result.exitCode, 0);
	assert.equal(result.stdout, "apple\npear\n");
}

/** A time-out is a result. Whatever the command has started is ended with it. */
async function giveUp(): Promise<void> {
	const result = await sdk.runProcess({ command: "sh", args: ["-c", "sleep 600 & sleep 600"], timeoutMs: 200 });
	assert.equal(result.timedOut, true);
	assert.equal(result.exitCode, null);
}

/** A process that goes on by itself: its input stays open, its output is kept, and anybody may follow it. */
async function talkTo(): Promise<void> {
	const { id } = await sdk.createProcess({
		command: "sh",
		args: ["-c", 'while read name; do echo "Hello $name"; done'],
	});
	await sdk.sendProcessInput(id, { data: "Ada\nGrace\n", encoding: "utf8", eof: true });
	const output = sdk.streamProcessLogs(id);
	let said = "";
	for await (const { data } of output) said += Buffer.from(data, "base64").toString();
	process.stdout.write(said);
	assert.equal(said, "Hello Ada\nHello Grace\n");
	assert.deepEqual(output.exit, { exitCode: 0 });
	await sdk.deleteProcess(id);
}

/** A stop asks, a kill does not. Both reach the whole process group. */
async function endWithChildren(): Promise<void> {
	const line = "while :; do sleep 600; done";
	const { id } = await sdk.createProcess({ command: "sh", args: ["-c", `trap '' TERM; echo ready; ${line}`] });
	// Before the first word it may not have come to ignoring anything.
	for await (const _ of sdk.streamProcessLogs(id)) break;
	assert.equal((await sdk.stopProcess(id, { waitMs: 100 })).status, "running");
	const { status, signal } = await sdk.killProcess(id);
	assert.deepEqual([status, signal], ["exited", "SIGKILL"]);
}
