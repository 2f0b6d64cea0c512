import type { Session } from "sandbox-agent";

/** One thing an agent does in a turn, as `session.stream()` tells it. */
export type Update = ReturnType<Session["stream"]> extends AsyncIterable<infer Item> ? Item : never;

type UpdateOf<Kind extends Update["sessionUpdate"]> = Extract<Update, { sessionUpdate: Kind }>;

/** A piece of what the agent says. */
export type ContentBlock = UpdateOf<"agent_message_chunk">["content"];

/** One step of the agent's plan. */
export type PlanEntry = UpdateOf<"plan">["entries"][number];

/** News of a tool call; everything but its id may be missing. */
export type ToolCallUpdate = Omit<UpdateOf<"tool_call_update">, "sessionUpdate">;
