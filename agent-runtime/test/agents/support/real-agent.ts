import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type ModelInside, startModelInside } from "../../../../test/namespace/model-inside.ts";
import { NetworkNamespace } from "../../../../test/namespace/network-namespace.ts";
import { AgentService } from "../../../src/agents/agent-service.ts";
import { ProcessTransport } from "../../../src/agents/transport/process-transport.ts";
import { TestClient, type TestClientOptions } from "./acp-client.ts";
import { modelSettings, type RealAgent } from "./model-settings.ts";

/** Where real agents are kept between runs of the tests: they are large, and pinned. */
export const AGENT_CACHE =
	process.env.SANDBOX_AGENT_TEST_CACHE ?? fileURLToPath(new URL("../../../../.tools/agents", import.meta.url));

/** Installs an agent into the cache where it is not there. Needs the npm registry the first time. */
export async function installRealAgent(agent: string): Promise<void> {
	const service = new AgentService({
		dataDirectory: AGENT_CACHE,
		environment: process.env,
		homeDirectory: homedir(),
		serverProgram: process.execPath,
	});
	await service.install(agent, {});
	await service.close();
}

/** How an agent of a test is started. */
export interface RealAgentOptions extends TestClientOptions {
	/** Beside those that tell it of the model. */
	variables?: Readonly<Record<string, string>>;
}

/** A model in a network of its own, and the agents that were started beside it. */
export class RealAgentLab implements AsyncDisposable {
	readonly model: ModelInside;
	/** The working directory of the agents. */
	readonly directory: string;
	/** Lines that the agents wrote to stderr. */
	readonly stderr: string[] = [];
	readonly #namespace: NetworkNamespace;
	readonly #root: string;
	readonly #clients: TestClient[] = [];

	static async open(): Promise<RealAgentLab> {
		const namespace = await NetworkNamespace.open();
		return new RealAgentLab(namespace, await startModelInside(namespace));
	}

	private constructor(namespace: NetworkNamespace, model: ModelInside) {
		this.#namespace = namespace;
		this.model = model;
		this.#root = realpathSync(mkdtempSync(join(tmpdir(), "real-agent-test-")));
		this.directory = join(this.#root, "work");
		mkdirSync(this.directory);
		mkdirSync(join(this.#root, "temp"));
	}

	/**
	 * Starts an agent as the server would, inside the namespace, with the lab's model. The developer's own keys and settings
	 * stay outside.
	 */
	async start(agent: RealAgent, options: RealAgentOptions = {}): Promise<TestClient> {
		const { command = "", args = [], env = {} } = await this.#serviceFor(agent, options.variables).launch(agent);
		const transport = await ProcessTransport.start({
			...this.#namespace.wrap(command, args),
			cwd: this.directory,
			environment: env,
			onStderrLine: (line) => this.stderr.push(line),
		});
		const client = new TestClient(transport, options);
		this.#clients.push(client);
		return client;
	}

	/** Kills an agent with all it has started, as the end of a machine would. */
	async kill(client: TestClient): Promise<void> {
		const { pid } = client.transport;
		if (pid === undefined) throw new Error("the agent is no process");
		process.kill(-pid, "SIGKILL");
		await client.transport.exited;
	}

	/** The agents of this machine, for a user who has told this one of the model. */
	#serviceFor(agent: RealAgent, variables: RealAgentOptions["variables"]): AgentService {
		const homeDirectory = join(this.#root, "home");
		const settings = modelSettings(agent, this.model.url);
		for (const [name, content] of Object.entries(settings.files ?? {})) {
			const file = join(homeDirectory, name);
			mkdirSync(dirname(file), { recursive: true });
			writeFileSync(file, content);
		}
		mkdirSync(homeDirectory, { recursive: true });
		const environment = {
			PATH: process.env.PATH,
			HOME: homeDirectory,
			// Agents keep folders per user number there, and in a namespace every user is number 0.
			TMPDIR: join(this.#root, "temp"),
			LANG: "C.UTF-8",
			NO_BROWSER: "1",
			DO_NOT_TRACK: "1",
			...settings.variables,
			...variables,
		};
		return new AgentService({
			dataDirectory: AGENT_CACHE,
			environment,
			homeDirectory,
			serverProgram: process.execPath,
			requirePreinstall: true,
		});
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await Promise.all(this.#clients.map((client) => client.close()));
		await this.model.close();
		await this.#namespace.close();
		rmSync(this.#root, { recursive: true, force: true });
	}
}
