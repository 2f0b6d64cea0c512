/** A PostgreSQL server of the tests' own. */
export interface TestPostgres {
	/** Of its superuser, over loopback. */
	readonly connectionString: string;
	/** Folder of its socket: as `host` of a client it is the way over the socket. */
	readonly socketDirectory: string;
	readonly port: number;
	readonly password: string;
	/** Ends it in the middle of whatever it does, as a crash would, and starts it again on the same port. */
	restart(): Promise<void>;
	/** Ends it and removes everything. */
	stop(): Promise<void>;
}

/**
 * Starts a server under a supervisor of its own, which ends it however this process ends.
 * @param directory an empty folder that other users can enter; socket paths are limited to 107 characters
 */
export function startPostgres(directory: string): Promise<TestPostgres>;
