import type { ProcessConfig } from "@sandbox-agent/core/api";
import { invalidRequest } from "../server/request-errors.ts";

/** The limits a server starts with. */
export const DEFAULT_LIMITS: ProcessConfig = {
	maxConcurrentProcesses: 64,
	defaultRunTimeoutMs: 30_000,
	maxRunTimeoutMs: 300_000,
	maxOutputBytes: 1024 * 1024,
	maxLogBytesPerProcess: 10 * 1024 * 1024,
	maxInputBytesPerRequest: 64 * 1024,
};

/** @throws invalid_request for limits with which nothing could run. */
export function checkLimits(limits: ProcessConfig): ProcessConfig {
	if (limits.maxConcurrentProcesses === 0) throw invalidRequest("maxConcurrentProcesses must be greater than 0");
	if (limits.defaultRunTimeoutMs === 0 || limits.maxRunTimeoutMs === 0) {
		throw invalidRequest("timeouts must be greater than 0");
	}
	const bytes = [limits.maxOutputBytes, limits.maxLogBytesPerProcess, limits.maxInputBytesPerRequest];
	if (bytes.includes(0)) throw invalidRequest("byte limits must be greater than 0");
	return { ...limits, defaultRunTimeoutMs: Math.min(limits.defaultRunTimeoutMs, limits.maxRunTimeoutMs) };
}
