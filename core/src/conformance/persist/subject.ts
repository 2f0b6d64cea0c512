import type { DurableSessionDriver } from "../../session/index.ts";

/** What the suite is run against. The caller removes the stores when the suite is done; drivers are closed by it. */
export interface PersistSubject {
	/** A driver on an empty store of its own. */
	open: () => Promise<DurableSessionDriver>;
	/** Another driver on the store of this one, which has been closed. Absent: the store ends with its driver. */
	reopen?: ((closed: DurableSessionDriver) => Promise<DurableSessionDriver>) | undefined;
	/** Another client of the store of this one, at the same time. Absent: the store is for one client at a time. */
	second?: ((first: DurableSessionDriver) => Promise<DurableSessionDriver>) | undefined;
	/** What the driver can; cases about anything else are left out. */
	features: PersistFeatures;
}

/** What drivers may or may not be able to do. */
export interface PersistFeatures {
	leases: boolean;
	watch: boolean;
	capsules: boolean;
	/** The store drops old events, or sessions, by itself: cases with more than 60 of them are left out. */
	capped?: boolean | undefined;
}

/** What a case works with. */
export interface CaseContext {
	/** On an empty store. */
	readonly driver: DurableSessionDriver;
	/** Closes the driver and opens its store again. */
	reopen(): Promise<DurableSessionDriver>;
	/** Another client of the same store where the subject has one, else the same driver. */
	second(): Promise<DurableSessionDriver>;
}

/** A case before it has a subject. */
export interface CaseDefinition {
	readonly name: string;
	/** Left out unless the subject has all of these. */
	readonly needs?: readonly ("leases" | "watch" | "capsules" | "uncapped" | "reopen" | "second")[];
	readonly run: (context: CaseContext) => Promise<void>;
}
