import type { SandboxAgent } from "sandbox-agent";

/** What a turn came to, in a form that can be handed out of a page or a worker. */
export interface TurnResult {
	/** Questions of the agent, by the title of what it wanted to do. */
	asked: string[];
	/** What the agent said. */
	said: string;
	stopReason: string;
	/** Kinds of the updates in the history. */
	stored: string[];
	/** Each status the client went through. */
	statuses: string[];
}

/** A turn of the mock agent with a permission question that is answered with yes. Disposes the client. */
export async function runTurn(connect: () => Promise<SandboxAgent>): Promise<TurnResult> {
	const client = await connect();
	try {
		const statuses: string[] = [];
		client.onStatus(({ status }) => statuses.push(status));
		const session = await client.createSession({ agent: "mock", model: "mock-fast" });
		const asked: string[] = [];
		session.onPermissionRequest(async (request) => {
			asked.push(String(request.toolCall.title));
			await session.respondPermission(request.id, "once");
		});
		let said = "";
		const turn = session.stream("permission");
		for await (const update of turn) {
			if (update.sessionUpdate === "agent_message_chunk" && update.content.type === "text") said += update.content.text;
		}
		const { items } = await client.getEvents({ sessionId: session.id });
		const stored = items.flatMap(({ payload }) => (payload.method === undefined ? [] : [payload.method]));
		return { asked, said, stopReason: (await turn.response).stopReason, stored: [...new Set(stored)], statuses };
	} finally {
		await client.dispose();
	}
}
