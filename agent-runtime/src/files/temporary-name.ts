import { randomBytes } from "node:crypto";

const session = randomBytes(6).toString("hex");
let count = 0;

/**
 * The name of something that is there only while a call runs. It is made by nobody else, also not by another server that
 * works in the same directory.
 */
export function temporaryName(): string {
	count += 1;
	return `.sandbox-agent-${session}-${count.toString(36)}`;
}
