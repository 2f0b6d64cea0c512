/** What an integration test needs from outside. */
export type ServiceName = "docker" | "chromium" | "namespace" | "postgres" | "redis";

/** Whether a part is there, and why not. */
export interface ServiceAvailability {
	readonly available: boolean;
	/** Why it is not there. */
	readonly reason?: string;
	/** Path of the program, for `chromium`. */
	readonly path?: string;
}

/**
 * Whether a part is there, as `scripts/test-services.mjs` found it. Use it to skip a suite visibly:
 *
 * @example
 * const docker = availabilityOf("docker");
 * describe.skipIf(!docker.available)("docker", { meta: { skipReason: docker.reason } }, () => { … });
 */
export function availabilityOf(name: ServiceName): ServiceAvailability {
	const text = process.env.SANDBOX_AGENT_TEST_SERVICES;
	if (!text) {
		const reason = "the test services do not run: node scripts/test-services.mjs -- pnpm vitest run …";
		return { available: false, reason };
	}
	// Written by the project's own script.
	const services = JSON.parse(text) as Partial<Record<ServiceName, ServiceAvailability>>;
	return services[name] ?? { available: false, reason: `the test services know no ${name}` };
}
