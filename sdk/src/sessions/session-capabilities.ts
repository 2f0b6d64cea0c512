import type { SessionRecord } from "@sandbox-agent/core/session";
import { isObject } from "../acp/envelope.ts";
import type { ResumeRung } from "./resume/receipt.ts";
import type { PromptOverlap } from "./turn-gate.ts";

/** What the agent of a session can do, as it told when the session was last bound. */
export interface SessionCapabilities {
	/** What a prompt may do while another one runs. */
	overlap: PromptOverlap[];
	/** Ways in which the session can be restored, the best first. */
	resume: ResumeRung[];
	/** What a prompt may hold besides text and links. */
	prompt: { image: boolean; audio: boolean; embeddedContext: boolean };
}

/** @param record of a session; without the agent's word on it only what every agent can is listed */
export function capabilitiesOf(record: SessionRecord): SessionCapabilities {
	const told = record.agentCapabilities ?? {};
	const session = isObject(told.sessionCapabilities) ? told.sessionCapabilities : {};
	const prompt = isObject(told.promptCapabilities) ? told.promptCapabilities : {};
	return {
		overlap: overlapsOf(told),
		resume: [
			"live",
			...(session.resume ? (["resume"] as const) : []),
			...(told.loadSession === true ? (["load"] as const) : []),
			"replay",
			"fresh",
		],
		prompt: {
			image: prompt.image === true,
			audio: prompt.audio === true,
			embeddedContext: prompt.embeddedContext === true,
		},
	};
}

/** What a prompt may do while another one runs, by the `agentCapabilities` of the agent. */
export function overlapsOf(capabilities: { readonly [member: string]: unknown }): PromptOverlap[] {
	return ["queue", "reject", ...(canSteer(capabilities) ? (["steer"] as const) : [])];
}

/** Agents tell it in extension members: `steering.supported` next to their capabilities, or a queue of their own in them. */
function canSteer(capabilities: { readonly [member: string]: unknown }): boolean {
	const meta = isObject(capabilities._meta) ? capabilities._meta : {};
	const steering = isObject(meta.steering) ? meta.steering : {};
	return (
		steering.supported === true || Object.values(meta).some((entry) => isObject(entry) && entry.promptQueueing === true)
	);
}
