import { SandboxAgentError } from "@sandbox-agent/core/errors";
import { endOf } from "./requests.ts";
import { LAYOUT_VERSION, type StoreName, upgrade } from "./schema.ts";
import { storeError } from "./store-errors.ts";

/** How long an upgrade waits for other tabs to let go of the database. Ours let go at once, or when they have written. */
const BLOCKED_MS = 3000;

/** Which database. */
export interface DatabaseOptions {
	factory: IDBFactory;
	name: string;
	/** The version its user has given it. */
	version: number;
}

/** A transaction in which something is done. */
export interface Transaction {
	store(name: StoreName): IDBObjectStore;
}

/**
 * A database that is opened when it is first needed, and again after the browser or another tab has closed it: one with
 * a newer version of this program may change the layout at any time.
 */
export class Database {
	readonly #options: DatabaseOptions;
	#opening: Promise<IDBDatabase> | undefined;
	#closed = false;

	constructor(options: DatabaseOptions) {
		this.#options = options;
	}

	/**
	 * Does something in one transaction: all of it or nothing. It may wait for nothing but requests of the transaction,
	 * which the browser commits as soon as none is open.
	 *
	 * @throws store_failed for everything the platform fails with
	 */
	async run<Result>(
		mode: "readonly" | "readwrite",
		stores: readonly StoreName[],
		body: (transaction: Transaction) => Result | Promise<Result>,
	): Promise<Result> {
		const database = await this.#open();
		let transaction: IDBTransaction;
		try {
			transaction = database.transaction(stores, mode);
		} catch (error) {
			throw storeError(error, "a transaction cannot begin");
		}
		const ended = endOf(transaction);
		try {
			const result = await body({ store: (name) => transaction.objectStore(name) });
			await ended;
			return result;
		} catch (error) {
			if (isOpen(transaction)) transaction.abort();
			await ended.catch(() => undefined);
			// A request that was given up because of another error does not know of it, its transaction does.
			throw storeError(transaction.error ?? error, "a transaction failed");
		}
	}

	/** Lets go of the database for good. What is under way still ends. */
	async close(): Promise<void> {
		this.#closed = true;
		const opening = this.#opening;
		this.#opening = undefined;
		// One that could not be opened need not be closed.
		const database = await opening?.catch(() => undefined);
		database?.close();
	}

	#open(): Promise<IDBDatabase> {
		if (this.#closed) {
			return Promise.reject(new SandboxAgentError("store_failed", "the driver was closed", { retryable: false }));
		}
		if (this.#opening) return this.#opening;
		const forget = () => {
			if (this.#opening === opening) this.#opening = undefined;
		};
		const opening = openDatabase(this.#options, forget);
		this.#opening = opening;
		opening.catch(forget);
		return opening;
	}
}

/** @param onGone called when the connection can be used no more */
function openDatabase({ factory, name, version }: DatabaseOptions, onGone: () => void): Promise<IDBDatabase> {
	return new Promise((resolve, reject) => {
		const fail = (error: unknown) => reject(storeError(error, `the database '${name}' cannot be opened`));
		let request: IDBOpenDBRequest;
		try {
			// Whatever version its user gives it, ours comes on top: both can only grow.
			request = factory.open(name, version * 1000 + LAYOUT_VERSION);
		} catch (error) {
			fail(error);
			return;
		}
		let blocked: ReturnType<typeof setTimeout> | undefined;
		let cause: unknown;
		request.onblocked = () => {
			blocked = setTimeout(() => {
				const detail = `IndexedDB: another tab keeps an earlier version of the database '${name}' open`;
				reject(new SandboxAgentError("store_failed", detail, { hint: "close or reload the other tabs of this site" }));
			}, BLOCKED_MS);
		};
		request.onupgradeneeded = () => {
			clearTimeout(blocked);
			const { transaction } = request;
			if (!transaction) return;
			upgrade(request.result, transaction).catch((error: unknown) => {
				cause = error;
				if (isOpen(transaction)) transaction.abort();
			});
		};
		request.onerror = () => {
			clearTimeout(blocked);
			fail(cause ?? request.error);
		};
		request.onsuccess = () => {
			clearTimeout(blocked);
			const database = request.result;
			database.onclose = onGone;
			database.onversionchange = () => {
				onGone();
				database.close();
			};
			resolve(database);
		};
	});
}

/** Whether a transaction can still be aborted. */
function isOpen(transaction: IDBTransaction): boolean {
	// There is no property that tells: asking for a store of a transaction that has ended throws.
	const [name] = transaction.objectStoreNames;
	try {
		if (name !== undefined) transaction.objectStore(name);
		return transaction.error === null;
	} catch {
		return false;
	}
}
