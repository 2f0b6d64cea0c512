/** The order of two ids, by code units. */
export function compare(left: string, right: string): number {
	if (left === right) return 0;
	return left < right ? -1 : 1;
}
