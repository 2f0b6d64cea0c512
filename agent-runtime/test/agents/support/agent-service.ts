import {
	chmodSync,
	existsSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	realpathSync,
	rmSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { AGENT_IDS } from "@sandbox-agent/core/api";
import { afterEach, beforeEach } from "vitest";
import { AgentService, type AgentServiceOptions } from "../../../src/agents/agent-service.ts";
import { pinnedPackage } from "../../../src/agents/install/lock.ts";
import { putStubNpm } from "./stub-npm.ts";

/** A machine with a stub for npm and nothing else, on which agents are installed. */
export interface AgentServiceLab {
	readonly directory: string;
	/** The environment of the services; what is set before one is made counts. */
	readonly environment: Record<string, string>;
	makeService(options?: Partial<AgentServiceOptions>): AgentService;
	/** Directory of the launchers. */
	processes(): string;
	/** Writes a shell script; returns its path. */
	putProgram(file: string, script: string): string;
	/** What lies in the directory of an agent, work directories included. */
	treesOf(agent: string): string[];
	/** How often npm was run. */
	npmRuns(): number;
}

/** What the registry announces, by package. */
function pinnedIntegrities(): Record<string, string> {
	const pins = AGENT_IDS.map(pinnedPackage).flatMap((pin) => [pin, pin?.companion]);
	return Object.fromEntries(pins.flatMap((pin) => (pin ? [[pin.package, pin.integrity]] : [])));
}

/** Gives every test of a file such a machine; everything is gone after the test. */
export function useAgentService(): AgentServiceLab {
	let directory = "";
	let environment: Record<string, string> = {};
	const services: AgentService[] = [];
	beforeEach(() => {
		directory = realpathSync(mkdtempSync(join(tmpdir(), "agent-service-test-")));
		putStubNpm(join(directory, "path"));
		mkdirSync(join(directory, "home"));
		environment = {
			PATH: `${join(directory, "path")}:/usr/bin:/bin`,
			HOME: join(directory, "home"),
			SANDBOX_AGENT_TOKEN: "secret",
			STUB_LOG: join(directory, "npm.log"),
			STUB_INTEGRITY: JSON.stringify(pinnedIntegrities()),
		};
	});
	afterEach(async () => {
		await Promise.all(services.splice(0).map((service) => service.close()));
		rmSync(directory, { recursive: true, force: true });
	});
	const processes = () => join(directory, "data/bin/agent_processes");
	return {
		get directory() {
			return directory;
		},
		get environment() {
			return environment;
		},
		makeService(options = {}) {
			const service = new AgentService({
				dataDirectory: join(directory, "data"),
				environment,
				homeDirectory: join(directory, "home"),
				serverProgram: "/opt/sandbox-agent",
				...options,
			});
			services.push(service);
			return service;
		},
		processes,
		putProgram(file, script) {
			mkdirSync(dirname(file), { recursive: true });
			writeFileSync(file, `#!/bin/sh\n${script}\n`);
			chmodSync(file, 0o755);
			return file;
		},
		treesOf: (agent) => (existsSync(join(processes(), agent)) ? readdirSync(join(processes(), agent)) : []),
		npmRuns() {
			const log = join(directory, "npm.log");
			return existsSync(log) ? readFileSync(log, "utf8").trim().split("\n").length : 0;
		},
	};
}
