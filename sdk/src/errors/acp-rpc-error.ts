const LABELS = new Map<number, string>([
	[-32700, "Parse error"],
	[-32600, "Invalid request"],
	[-32601, "Method not supported by agent"],
	[-32602, "Invalid parameters"],
	[-32603, "Internal agent error"],
	[-32000, "Authentication required"],
	[-32002, "Resource not found"],
]);

/** JSON-RPC's code for a method the other side does not have. */
export const METHOD_NOT_FOUND = -32601;

/** JSON-RPC's code for a failure inside the other side. */
export const INTERNAL_ERROR = -32603;

/** The agent answered a request with a JSON-RPC error. */
export class AcpRpcError extends Error {
	/** JSON-RPC error code. */
	readonly code: number;
	/** Whatever the agent added. */
	readonly data: unknown;

	constructor(code: number, message: string, data?: unknown) {
		const label = LABELS.get(code);
		super(label && label !== message ? `${label}: ${message}` : message);
		this.name = "AcpRpcError";
		this.code = code;
		this.data = data;
	}
}
