/** Version of this release; the runtime, the SDK and the packages carry the same one. */
export const VERSION = "0.5.0";

/**
 * Generation of the wire. A client works with every server of the same generation, whatever its build; another
 * generation is `runtime_incompatible`.
 */
export const API_GENERATION = "1";

/** Headers of our own, beside the standard ones. */
export const HEADERS = {
	/** On every answer: the build of the server. */
	version: "sandbox-agent-version",
	/** On every answer: {@link API_GENERATION} of the server. */
	api: "sandbox-agent-api",
	/** On the answers of an ACP connection: the epoch of its event log. Repeated by a client beside `Last-Event-ID`. */
	log: "sandbox-agent-log",
	/** `false` while an ACP connection's log cannot be written to disk. */
	logDurable: "sandbox-agent-log-durable",
	/** On the stream of a process's log: the sequence behind which it begins. */
	logStart: "sandbox-agent-log-start",
} as const;
