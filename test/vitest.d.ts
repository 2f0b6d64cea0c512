import "vitest";

declare module "vitest" {
	interface TaskMeta {
		/** Why a test or suite is skipped; `npm test` prints it. */
		skipReason?: string | undefined;
	}
}
