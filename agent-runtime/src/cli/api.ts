import type { IncomingMessage } from "node:http";
import { type Command, InvalidArgumentError } from "commander";
import { ApiClient, readText, tokenFor } from "./api-client.ts";
import { type CliContext, CommandFailed } from "./cli-context.ts";
import { DEFAULT_PORT } from "./server-flags.ts";
import { addSubcommand } from "./subcommand.ts";
import { readTokenFlags } from "./token-options.ts";

const DEFAULT_ENDPOINT = new URL(`http://127.0.0.1:${DEFAULT_PORT}`);

/** `api`: calls to a running server. */
export function define(command: Command, context: CliContext): void {
	defineAgents(addSubcommand(command, "agents", "the agents of a server", context), context);
	defineAcp(addSubcommand(command, "acp", "raw connections to agents", context), context);
}

function defineAgents(agents: Command, context: CliContext): void {
	const list = endpointCommand(agents, "list", "print all agents", context).option("--json", "print JSON (always so)");
	list.action(async () =>
		printJson(await clientOf(list, context).send({ method: "GET", path: "/v1/agents" }), context),
	);

	const report = endpointCommand(agents, "report", "print models, modes and thought levels", context).option(
		"--json",
		"print JSON (always so)",
	);
	report.action(async () => {
		const client = clientOf(report, context);
		const response = await client.send({ method: "GET", path: "/v1/agents?config=true" });
		const text = await readSuccess(response, context);
		const { toAgentReport } = await import("./agent-report.ts");
		context.print(pretty(toAgentReport(JSON.parse(text), client.endpoint, Date.now())));
	});

	const install = endpointCommand(agents, "install", "install an agent on the server's machine", context)
		.argument("<agent>", "id of the agent")
		.option("-r, --reinstall", "install again")
		.option("--agent-version <version>", "version of the agent")
		.option("--agent-process-version <version>", "version of its ACP adapter")
		.option("--json", "print JSON (always so)");
	install.action(async (agent: string) => {
		const { reinstall, agentVersion, agentProcessVersion } = install.opts();
		const path = `/v1/agents/${encodeURIComponent(agent)}/install`;
		const body = JSON.stringify({ reinstall, agentVersion, agentProcessVersion });
		await printJson(await clientOf(install, context).send({ method: "POST", path, body }), context);
	});
}

function defineAcp(acp: Command, context: CliContext): void {
	const post = serverIdCommand(acp, "post", "send one JSON-RPC message and print the answer", context)
		.option("--agent <agent>", "id of the agent; needed by the first message of a connection")
		.option("--json <text>", "the message")
		.option("--json-file <file>", "file that holds the message");
	post.action(async () => {
		const { readMessage } = await import("./acp-message.ts");
		const { serverId, agent, json, jsonFile } = post.opts();
		const query = agent === undefined ? "" : `?agent=${encodeURIComponent(agent)}`;
		const body = readMessage(json, jsonFile);
		await printJson(
			await clientOf(post, context).send({ method: "POST", path: acpPath(serverId) + query, body }),
			context,
		);
	});

	const stream = serverIdCommand(acp, "stream", "print what a connection's agent says as it comes", context).option(
		"--last-event-id <id>",
		"start behind this event",
		eventId,
	);
	stream.action(async () => {
		const { serverId, lastEventId } = stream.opts();
		const headers: Record<string, string> = { accept: "text/event-stream" };
		if (lastEventId !== undefined) headers["last-event-id"] = String(lastEventId);
		const response = await clientOf(stream, context).send({ method: "GET", path: acpPath(serverId), headers });
		if (response.statusCode !== 200) await readSuccess(response, context);
		await context.copyOut(response);
	});

	const close = serverIdCommand(acp, "close", "end a connection and its agent", context);
	close.action(async () => {
		const { serverId } = close.opts();
		await readSuccess(await clientOf(close, context).send({ method: "DELETE", path: acpPath(serverId) }), context);
	});
}

function endpointCommand(parent: Command, name: string, summary: string, context: CliContext): Command {
	return addSubcommand(parent, name, summary, context).option(
		"-e, --endpoint <url>",
		`address of the server (default: ${DEFAULT_ENDPOINT.origin})`,
		endpointUrl,
	);
}

function serverIdCommand(parent: Command, name: string, summary: string, context: CliContext): Command {
	return endpointCommand(parent, name, summary, context).requiredOption("--server-id <id>", "id of the connection");
}

function clientOf(command: Command, context: CliContext): ApiClient {
	const endpoint: URL = command.opts().endpoint ?? DEFAULT_ENDPOINT;
	return new ApiClient(endpoint, tokenFor(endpoint, readTokenFlags(command), context.environment));
}

function acpPath(serverId: string): string {
	return `/v1/acp/${encodeURIComponent(serverId)}`;
}

async function printJson(response: IncomingMessage, context: CliContext): Promise<void> {
	const text = await readSuccess(response, context);
	if (text !== "") context.print(prettyText(text));
}

/** The body of a successful answer. The document of an error is printed, and the command has failed. */
async function readSuccess(response: IncomingMessage, context: CliContext): Promise<string> {
	const text = await readText(response);
	const { statusCode = 0, statusMessage = "" } = response;
	if (statusCode >= 200 && statusCode < 300) return text;
	if (text !== "") context.print(prettyText(text));
	context.fail(`unexpected http status: ${statusCode} ${statusMessage}`);
	throw new CommandFailed();
}

/** JSON with indentation; text of another kind, as a proxy may send it, stays as it is. */
function prettyText(text: string): string {
	try {
		return pretty(JSON.parse(text));
	} catch {
		return text;
	}
}

function pretty(value: unknown): string {
	return JSON.stringify(value, null, 2);
}

function endpointUrl(text: string): URL {
	const url = URL.canParse(text) ? new URL(text) : undefined;
	if (url && /^https?:$/.test(url.protocol)) return url;
	throw new InvalidArgumentError("Expected an http or https URL.");
}

function eventId(text: string): number {
	if (/^\d{1,15}$/.test(text)) return Number(text);
	throw new InvalidArgumentError("Expected a non-negative integer.");
}
