import { homedir } from "node:os";
import { VERSION } from "@sandbox-agent/core/api";
import type { Logger } from "../server/logger.ts";
import { urlHost } from "../server/loopback.ts";
import type { RunningServer } from "../server/start-server.ts";
import type { CliContext } from "./cli-context.ts";

/** Tells the one who started a server where it is: a short page at a terminal, log lines elsewhere. */
export function announce(server: RunningServer, context: CliContext, logger: Logger): void {
	const address = `${urlHost(server.host)}:${server.port}`;
	if (context.terminal) logger.say(toPage(server));
	else {
		logger.announce("info", "server listening", { addr: address, token_file: server.tokenFile });
		logger.announce("info", "inspector ui available", { url: `${server.publicUrl}/ui/` });
	}
	if (server.token === undefined && !server.loopback) {
		logger.announce("warn", "ANYONE WHO REACHES THIS ADDRESS CONTROLS THIS MACHINE: the server has no token", {
			addr: address,
			remedy: "leave --no-token out",
		});
	}
}

function toPage(server: RunningServer): string {
	const bold = (text: string) => `\u001b[1m${text}\u001b[22m`;
	const dim = (text: string) => `\u001b[2m${text}\u001b[22m`;
	const page = `${server.publicUrl}/ui/`;
	const rows: [string, string][] = [["API", bold(server.publicUrl)]];
	if (server.tokenFile !== undefined && server.token !== undefined) {
		// The part behind # stays in the browser: it reaches neither a server nor its log.
		rows.push(
			["Inspector", `${page}#token=${server.token}`],
			["Token", server.token],
			["", dim(`also in ${short(server.tokenFile)}`)],
		);
	} else {
		rows.push(
			["Inspector", page],
			["Token", server.token === undefined ? "none: open to whoever reaches it" : "as given"],
		);
	}
	rows.push(["State", server.stateDirectory === undefined ? "in memory" : short(server.stateDirectory)]);
	const lines = rows.map(([name, value]) => `  ${dim(name.padEnd(10))} ${value}`);
	return [
		"",
		`  ${bold("Sandbox Agent")} ${dim(VERSION)}`,
		"",
		...lines,
		"",
		dim("  Ctrl-C stops the server."),
		"",
	].join("\n");
}

function short(path: string): string {
	const home = homedir();
	return path.startsWith(`${home}/`) ? `~${path.slice(home.length)}` : path;
}
