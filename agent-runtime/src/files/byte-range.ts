import { SandboxAgentError } from "@sandbox-agent/core/errors";

/** Some bytes of a file. */
export interface ByteRange {
	readonly start: number;
	/** The byte behind the last. */
	readonly end: number;
}

/**
 * The one range that a `Range` header asks for. Nothing for several ranges, other units and what is no range: the standard
 * has them answered with the whole.
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-14.2
 * @throws range_not_satisfiable
 */
export function parseRange(header: string | undefined, size: number): ByteRange | undefined {
	const match = /^\s*bytes\s*=\s*(\d{0,15})\s*-\s*(\d{0,15})\s*$/i.exec(header ?? "");
	if (!match) return undefined;
	const [, first = "", last = ""] = match;
	if (first === "" && last === "") return undefined;
	if (first !== "" && last !== "" && Number(last) < Number(first)) return undefined;
	const start = first === "" ? Math.max(0, size - Number(last)) : Number(first);
	const end = first === "" || last === "" ? size : Math.min(size, Number(last) + 1);
	if (start < end) return { start, end };
	throw new SandboxAgentError("range_not_satisfiable", `the file has ${size} bytes, none of which is in ${header}`);
}
