import type { StoreChange } from "@sandbox-agent/core/session";
import type { Database } from "./database.ts";

/** First characters of a notification; the id of the session follows. */
const MARKS: Record<StoreChange["kind"], string> = { events: "e", lease: "l", unknown: "u" };

/** The change that a notification tells; nothing when it is another kind of message. */
export function changeOf(payload: string): StoreChange | undefined {
	const kind = (Object.keys(MARKS) as StoreChange["kind"][]).find((each) => MARKS[each] === payload.charAt(0));
	return kind && { kind, sessionId: payload.slice(1) };
}

/**
 * Tells all listening clients what was committed, soon after it was. Not within the transactions themselves: the server
 * makes the commits of transactions that notify wait for each other, each for its own way to the disk. Those that only
 * notify are quick, and one tells everything that came together meanwhile.
 *
 * What is never told because its writer died, listeners find by themselves.
 */
export class Announcer {
	readonly #database: Database;
	#waiting = new Set<string>();
	#sending: Promise<void> | undefined;

	constructor(database: Database) {
		this.#database = database;
	}

	tell({ kind, sessionId }: StoreChange): void {
		this.#waiting.add(MARKS[kind] + sessionId);
		this.#sending ??= this.#send();
	}

	/** Resolves when everything has been told, or cannot be. */
	async settled(): Promise<void> {
		await this.#sending;
	}

	async #send(): Promise<void> {
		while (this.#waiting.size > 0) {
			const batch = [...this.#waiting];
			this.#waiting = new Set();
			const { channel } = this.#database.names;
			await this.#database
				.query("SELECT pg_notify($1, told) FROM unnest($2::text[]) AS told", [channel, batch])
				// The writes have been reported, and stay so.
				.catch(() => undefined);
		}
		this.#sending = undefined;
	}
}
