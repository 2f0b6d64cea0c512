/** Resolves when a condition holds; rejects when it does not within the limit. */
export async function waitUntil(
	what: string,
	condition: () => boolean | Promise<boolean>,
	limitMs = 10_000,
): Promise<void> {
	const expiry = Date.now() + limitMs;
	while (!(await condition())) {
		if (Date.now() > expiry) throw new Error(`waited ${limitMs} ms in vain until ${what}`);
		await new Promise((resolve) => setTimeout(resolve, 5));
	}
}
