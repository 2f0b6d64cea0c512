import type {
	ClientConnection,
	ContentBlock,
	CreateElicitationResponse,
	InitializeRequest,
	NewSessionRequest,
	PermissionOptionKind,
	PromptResponse,
	RequestPermissionRequest,
	SessionUpdate,
} from "@agentclientprotocol/sdk";
import { type AnyMessage, client, PROTOCOL_VERSION, RequestError } from "@agentclientprotocol/sdk";
import type { AgentTransport } from "../../../src/agents/transport/agent-transport.ts";

/** How the client of a test answers its agent. */
export interface TestClientOptions {
	/** Kind of the option that is chosen; `cancelled` dismisses, `never` leaves the question open. @default allow_once */
	permission?: PermissionOptionKind | "cancelled" | "never";
	/** Answers forms; absent: the client offers none. */
	elicitation?: () => CreateElicitationResponse;
}

/** An ACP client of the official library on one of our transports, which remembers what it was told. */
export class TestClient {
	readonly transport: AgentTransport;
	readonly connection: ClientConnection;
	/** Every update, of all sessions, in order. */
	readonly updates: { sessionId: string; update: SessionUpdate }[] = [];
	readonly permissions: RequestPermissionRequest[] = [];
	/** Lines that are not JSON; a conforming agent writes none. */
	readonly garbage: string[] = [];
	options: TestClientOptions;

	constructor(transport: AgentTransport, options: TestClientOptions = {}) {
		this.transport = transport;
		this.options = options;
		const app = client({ name: "test" })
			.onNotification("session/update", ({ params }) => {
				this.updates.push({ sessionId: params.sessionId, update: params.update });
			})
			.onRequest("session/request_permission", async ({ params }) => {
				this.permissions.push(params);
				const wanted = this.options.permission ?? "allow_once";
				if (wanted === "never") return new Promise<never>(() => undefined);
				const option = params.options.find(({ kind }) => kind === wanted);
				if (wanted === "cancelled" || !option) return { outcome: { outcome: "cancelled" as const } };
				return { outcome: { outcome: "selected" as const, optionId: option.optionId } };
			})
			.onRequest("elicitation/create", () => {
				if (!this.options.elicitation) throw RequestError.methodNotFound("elicitation/create");
				return this.options.elicitation();
			});
		this.connection = app.connect(streamOf(transport, this.garbage));
	}

	get agent(): ClientConnection["agent"] {
		return this.connection.agent;
	}

	initialize(request: Partial<InitializeRequest> = {}) {
		return this.agent.request("initialize", {
			protocolVersion: PROTOCOL_VERSION,
			clientInfo: { name: "test", version: "1" },
			clientCapabilities: this.options.elicitation ? { elicitation: { form: {} } } : {},
			...request,
		});
	}

	newSession(cwd: string, request: Partial<NewSessionRequest> = {}) {
		return this.agent.request("session/new", { cwd, mcpServers: [], ...request });
	}

	prompt(sessionId: string, prompt: string | ContentBlock[]): Promise<PromptResponse> {
		const blocks: ContentBlock[] = typeof prompt === "string" ? [{ type: "text", text: prompt }] : prompt;
		return this.agent.request("session/prompt", { sessionId, prompt: blocks });
	}

	cancel(sessionId: string): Promise<void> {
		return this.agent.notify("session/cancel", { sessionId });
	}

	/** The updates of one session of one kind. */
	updatesOf<Kind extends SessionUpdate["sessionUpdate"]>(
		sessionId: string,
		kind: Kind,
	): Extract<SessionUpdate, { sessionUpdate: Kind }>[] {
		return this.updates.flatMap(({ sessionId: id, update }) =>
			id === sessionId && isKind(update, kind) ? [update] : [],
		);
	}

	/** The text the agent has said in a session. */
	text(sessionId: string): string {
		return this.updatesOf(sessionId, "agent_message_chunk")
			.map(({ content }) => (content.type === "text" ? content.text : ""))
			.join("");
	}

	async close(): Promise<void> {
		await this.transport.close();
		this.connection.close();
	}
}

function isKind<Kind extends SessionUpdate["sessionUpdate"]>(
	update: SessionUpdate,
	kind: Kind,
): update is Extract<SessionUpdate, { sessionUpdate: Kind }> {
	return update.sessionUpdate === kind;
}

/** One message of an agent; it is the business of the test that the agent speaks JSON-RPC. */
function parseMessage(line: Uint8Array): AnyMessage | undefined {
	try {
		return JSON.parse(Buffer.from(line).toString());
	} catch {
		return undefined;
	}
}

function streamOf(transport: AgentTransport, garbage: string[]) {
	return {
		readable: new ReadableStream<AnyMessage>({
			start(controller) {
				transport.onLines((lines) => {
					for (const line of lines) {
						const message = parseMessage(line);
						if (message) controller.enqueue(message);
						else garbage.push(Buffer.from(line).toString());
					}
				});
				void transport.exited.then(() => controller.close());
			},
		}),
		writable: new WritableStream<AnyMessage>({
			write: (message) => transport.write(Buffer.from(JSON.stringify(message))),
		}),
	};
}
