import type { Session } from "./session.ts";

/** After so many new handles those that nobody holds are looked for. */
const SWEEP_EVERY = 1_000;

/**
 * The one object per session that a client hands out. Objects nobody holds any more are let go, so that listing a large
 * store costs no memory for good.
 */
export class SessionHandles {
	readonly #references = new Map<string, { deref(): Session | undefined }>();
	#untilSweep = SWEEP_EVERY;

	get(id: string): Session | undefined {
		return this.#references.get(id)?.deref();
	}

	set(id: string, session: Session): void {
		// Places without weak references keep all of them.
		const reference = typeof WeakRef === "function" ? new WeakRef(session) : { deref: () => session };
		this.#references.set(id, reference);
		this.#untilSweep--;
		if (this.#untilSweep > 0) return;
		this.#untilSweep = SWEEP_EVERY;
		for (const [key, known] of this.#references) if (!known.deref()) this.#references.delete(key);
	}

	delete(id: string): void {
		this.#references.delete(id);
	}
}
