/** A token of 192 random bits, as text that needs no quoting anywhere. */
export function randomToken(): string {
	const bytes = crypto.getRandomValues(new Uint8Array(24));
	return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
