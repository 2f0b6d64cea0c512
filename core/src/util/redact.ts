const MASK = "[redacted]";

/** The text with every given secret masked. Empty and missing secrets are ignored. */
export function redact(text: string, secrets: readonly (string | undefined)[]): string {
	let result = text;
	for (const secret of secrets) if (secret) result = result.replaceAll(secret, MASK);
	return result;
}

/** A request target (path and query) with the values of credential parameters masked. */
export function redactTarget(target: string): string {
	return target.replace(/([?&](?:access_token|token)=)[^&#]*/gi, `$1${MASK}`);
}
