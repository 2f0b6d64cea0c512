/** A Redis server of the tests' own. */
export interface TestRedis {
	/** Path of its socket: it listens nowhere else. */
	readonly socketPath: string;
	/** Ends it and removes everything. */
	stop(): Promise<void>;
}

/**
 * Starts a server that ends however this process ends.
 * @param directory an empty folder; socket paths are limited to 107 characters
 */
export function startRedis(directory: string): Promise<TestRedis>;
