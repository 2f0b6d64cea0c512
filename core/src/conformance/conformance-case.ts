/**
 * One check of a conformance suite. It belongs to no test framework: loop over the cases with the one you have.
 *
 * @example
 * for (const { name, run } of persistConformance(subject)) it(name, run);
 */
export interface ConformanceCase {
	/** A sentence about the implementation; unique within its suite. */
	readonly name: string;
	/** Rejects, with what was expected and what came, when the sentence is not true. */
	run(): Promise<void>;
}
