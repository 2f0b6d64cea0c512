export { ERROR_CODES, type ErrorCode, isErrorCode, type SandboxAgentErrorCode } from "./codes.ts";
export type { ErrorDetails } from "./details.ts";
export {
	fromProblem,
	isProblem,
	PROBLEM_CONTENT_TYPE,
	PROBLEM_TYPE_PREFIX,
	type ProblemDetails,
	toProblem,
} from "./problem.ts";
export { SandboxAgentError, type SandboxAgentErrorOptions } from "./sandbox-agent-error.ts";
