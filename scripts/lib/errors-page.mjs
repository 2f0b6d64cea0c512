// docs/errors.md, from the table of error codes.

/**
 * @param {Record<string, { status: number, title: string, retryable: boolean, hint?: string }>} codes
 * @returns {string}
 */
export function errorsPage(codes) {
	const rows = Object.entries(codes).map(([code, { status, title, retryable, hint }]) => {
		return `| \`${code}\` | ${status} | ${title} | ${retryable ? "yes" : "no"} | ${hint ?? ""} |`;
	});
	return `<!-- Generated from core/src/errors/codes.ts by \`pnpm generate\`. -->

# Errors

Every failure is one error family: \`SandboxAgentError\`. Branch on its \`code\`; codes are never renamed. The message
begins with the title, then says what happened, and ends with the hint where there is one.

\`\`\`ts
import { SandboxAgentError } from "sandbox-agent";

try {
	await session.prompt([{ type: "text", text: "hello" }]);
} catch (error) {
	if (SandboxAgentError.isInstance(error, "agent_process_exited")) console.log(error.details);
	else throw error;
}
\`\`\`

\`isInstance\` also recognises errors of another copy of the package in the same program. On the wire the same error is a
problem document (RFC 9457) with the type \`urn:sandbox-agent:error:<code>\`; server and client throw the same class. The
status is shown also by errors that never crossed the wire. \`invalid_request\` occurs with 404 for an unknown route, 405
for another method and 413 for a body above the limit as well.

An abort is never wrapped: where you passed an \`AbortSignal\`, you get its reason.

| code | status | title | can a retry help | what to do |
|---|---|---|---|---|
${rows.join("\n")}
`;
}
