import { validateHeaderName } from "node:http";
import { type Command, InvalidArgumentError, Option } from "commander";
import { hostName } from "../server/guard.ts";
import { tokenFault } from "../server/token.ts";
import { UsageError } from "./cli-context.ts";

/** The options of `server` as commander delivers them. */
export interface ServerFlags {
	readonly host: string;
	readonly port: number;
	readonly corsAllowOrigin: readonly string[];
	readonly corsAllowMethod: readonly string[];
	readonly corsAllowHeader: readonly string[];
	readonly corsAllowCredentials?: true;
	readonly token?: string;
	readonly noToken?: true;
	readonly tokenFile?: string;
	readonly allowedHost: readonly string[];
	readonly publicUrl?: URL;
	readonly stateDir?: string;
	readonly maxBodyBytes: number;
	readonly fsRoot?: string;
	readonly readyFd?: number;
	readonly detached?: true;
}

const DEFAULT_HOST = "127.0.0.1";
export const DEFAULT_PORT = 2468;

/** As large as the longest line of an agent. */
const DEFAULT_MAX_BODY_BYTES = 64 * 1024 * 1024;

/** Adds the options of `server` to a command. */
export function addServerFlags(command: Command): Command {
	const list = (flags: string, description: string, parse: (text: string, previous: readonly string[]) => string[]) =>
		command.addOption(new Option(flags, description).argParser(parse).default([], "none"));
	command
		.option("-H, --host <host>", "name or address to listen on", DEFAULT_HOST)
		.option("-p, --port <port>", "port to listen on; 0 takes any free one", port, DEFAULT_PORT)
		.option("--token-file <file>", "read the token from a file");
	list("-O, --cors-allow-origin <origin>", "origin whose pages may call the server, * for all; repeatable", origin);
	list("-M, --cors-allow-method <method>", "method those pages may use, instead of all; repeatable", method);
	list("-A, --cors-allow-header <name>", "header those pages may set, instead of all; repeatable", header);
	command.option("-C, --cors-allow-credentials", "those pages may send cookies and saved credentials");
	list("--allowed-host <name>", "further name by which a server on a loopback address is addressed; repeatable", host);
	return command
		.option("--public-url <url>", "address of the server as browsers see it, when it is behind a proxy", publicUrl)
		.option("--state-dir <directory>", "where to keep what must survive the server (default: by host and port)")
		.option(
			"--max-body-bytes <bytes>",
			"longest request body that is not a file",
			positiveInteger,
			DEFAULT_MAX_BODY_BYTES,
		)
		.option("--fs-root <directory>", "keep the file routes inside this directory (default: the whole file system)")
		.option(
			"--ready-fd <descriptor>",
			'write {"port","pid"} there when listening; stop when its other end is closed',
			descriptor,
		)
		.option("--detached", "do not stop when the other end of --ready-fd is closed")
		.option("--no-telemetry", "accepted; there is no telemetry");
}

/** @throws UsageError for options that are right by themselves and wrong together. */
export function checkServerFlags(flags: ServerFlags): void {
	if (flags.token !== undefined) {
		const fault = tokenFault(flags.token);
		if (fault) throw new UsageError(`option --token: the token ${fault}; leave the option out to get a new token`);
	}
	if (flags.token !== undefined && flags.tokenFile !== undefined) {
		throw new UsageError("options --token and --token-file: give one of them");
	}
	if (flags.corsAllowCredentials && flags.corsAllowOrigin.includes("*")) {
		throw new UsageError(
			"option --cors-allow-credentials: not together with --cors-allow-origin '*', which would hand every web page the " +
				"user's credentials; name the origins",
		);
	}
	if (flags.detached && flags.readyFd === undefined) throw new UsageError("option --detached: only with --ready-fd");
}

function port(text: string): number {
	const value = integer(text);
	if (value > 65_535) throw new InvalidArgumentError("Expected a port from 0 to 65535.");
	return value;
}

function positiveInteger(text: string): number {
	const value = integer(text);
	if (value < 1) throw new InvalidArgumentError("Expected a positive integer.");
	return value;
}

function descriptor(text: string): number {
	const value = integer(text);
	if (value < 3)
		throw new InvalidArgumentError("Expected a descriptor above 2; the first three are the standard streams.");
	return value;
}

function integer(text: string): number {
	if (/^\d{1,15}$/.test(text)) return Number(text);
	throw new InvalidArgumentError("Expected an integer.");
}

function origin(text: string, previous: readonly string[]): string[] {
	const value = text === "*" ? text : URL.canParse(text) ? new URL(text).origin : "null";
	if (value === "null" || (value !== "*" && value !== text.replace(/\/$/, "").toLowerCase())) {
		throw new InvalidArgumentError("Expected scheme, host and port, such as https://app.example:8443, or *.");
	}
	return [...previous, value];
}

function method(text: string, previous: readonly string[]): string[] {
	if (!isToken(text)) throw new InvalidArgumentError("Expected an HTTP method.");
	return [...previous, text];
}

function header(text: string, previous: readonly string[]): string[] {
	if (!isToken(text)) throw new InvalidArgumentError("Expected the name of an HTTP header.");
	return [...previous, text];
}

function host(text: string, previous: readonly string[]): string[] {
	const name = hostName(text);
	if (name === "") throw new InvalidArgumentError("Expected a host name without scheme and path.");
	return [...previous, name];
}

function publicUrl(text: string): URL {
	const url = URL.canParse(text) ? new URL(text) : undefined;
	if (!url || !/^https?:$/.test(url.protocol)) throw new InvalidArgumentError("Expected an http or https URL.");
	return url;
}

/** Methods and header names share one grammar. */
function isToken(text: string): boolean {
	try {
		validateHeaderName(text);
		return true;
	} catch {
		// Thrown for every text that is not such a name.
		return false;
	}
}
