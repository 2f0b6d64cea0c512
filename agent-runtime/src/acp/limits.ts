/** Bounds of the ACP process host. Each is a default; tests and flags may narrow them. */
export interface AcpLimits {
	/** Largest accepted message, in bytes. */
	readonly maxMessageBytes: number;
	/** Messages that may wait for an agent's input. */
	readonly maxQueuedMessages: number;
	/** Bytes that may wait for an agent's input. A single message may exceed it when nothing else waits. */
	readonly maxQueuedBytes: number;
	/** Requests of one connection that may be without an answer. */
	readonly maxOpenRequests: number;
	/** Idempotency keys remembered per connection. */
	readonly maxKeys: number;
	/** After this time a waiting POST ends with 202 when a reader is attached. Milliseconds. */
	readonly answerEarlyAfterMs: number;
	/** After this time a waiting POST without a reader ends with 504, except `session/prompt`. Milliseconds. */
	readonly requestTimeoutMs: number;
	/** How long a GET waits for the creation of an unknown connection to begin. Milliseconds. */
	readonly creationWaitMs: number;
	/** Memory for the newest records of all connections together, in bytes; the rest is read from disk. */
	readonly logMemoryBytes: number;
	/** The least and the most that one connection gets of it, in bytes. */
	readonly minLogMemoryBytes: number;
	readonly maxLogMemoryBytes: number;
	/** Disk for the logs of all connections together, in bytes. */
	readonly logDiskBytes: number;
	/** The least and the most that one connection gets of it, in bytes. */
	readonly minLogDiskBytes: number;
	readonly maxLogDiskBytes: number;
	/** How long the end of a connection waits for readers that are about to leave, where they would prevent it. Milliseconds. */
	readonly readersLeaveMs: number;
	/** Silence after which a reader gets a heartbeat comment. Milliseconds. */
	readonly heartbeatMs: number;
}

export const DEFAULT_ACP_LIMITS: AcpLimits = {
	maxMessageBytes: 64 * 1024 * 1024,
	maxQueuedMessages: 64,
	maxQueuedBytes: 8 * 1024 * 1024,
	maxOpenRequests: 1024,
	maxKeys: 10_000,
	answerEarlyAfterMs: 100_000,
	requestTimeoutMs: 120_000,
	creationWaitMs: 2_000,
	logMemoryBytes: 32 * 1024 * 1024,
	minLogMemoryBytes: 64 * 1024,
	maxLogMemoryBytes: 1024 * 1024,
	logDiskBytes: 4 * 1024 ** 3,
	minLogDiskBytes: 16 * 1024 ** 2,
	maxLogDiskBytes: 256 * 1024 ** 2,
	readersLeaveMs: 1_000,
	heartbeatMs: 15_000,
};
