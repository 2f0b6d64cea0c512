/** Names of the marks that every sandbox of ours carries, so that a sweep finds it and knows whose it is. */
export const LABELS = {
	/** Always `true`. */
	managed: "sandbox-agent",
	/** The key of its creation: unique per sandbox, and the same when a creation is repeated. */
	key: "sandbox-agent.key",
	/** Epoch milliseconds of its creation, by the clock of the program that made it. */
	createdAt: "sandbox-agent.created-at",
} as const;

/** The labels of a new sandbox. Ours win over the caller's. */
export function ownershipLabels(
	key: string,
	labels: Readonly<Record<string, string>> = {},
	now: number = Date.now(),
): Record<string, string> {
	return { ...labels, [LABELS.managed]: "true", [LABELS.key]: key, [LABELS.createdAt]: String(now) };
}
