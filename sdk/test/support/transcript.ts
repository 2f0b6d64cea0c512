import type { SandboxAgent, SessionEvent } from "sandbox-agent";

/** All stored events of a session. */
export async function transcript(client: SandboxAgent, sessionId: string): Promise<SessionEvent[]> {
	const events: SessionEvent[] = [];
	let cursor: string | undefined;
	do {
		const page = await client.getEvents({ sessionId, cursor });
		events.push(...page.items);
		cursor = page.nextCursor;
	} while (cursor !== undefined);
	return events;
}

/** What the agent said in text, in order. */
export function textsOf(events: readonly SessionEvent[]): string[] {
	return events.flatMap(({ payload }) => {
		const update = (payload.params as { update?: { sessionUpdate?: string; content?: { text?: string } } } | undefined)
			?.update;
		return update?.sessionUpdate === "agent_message_chunk" ? [update.content?.text ?? ""] : [];
	});
}
