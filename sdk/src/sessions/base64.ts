/** Characters that are made at a time: an argument list has a limit. */
const SLICE = 8192;

/** Bytes as base64. */
export function toBase64(bytes: Uint8Array): string {
	const parts: string[] = [];
	for (let start = 0; start < bytes.length; start += SLICE) {
		parts.push(String.fromCharCode(...bytes.subarray(start, start + SLICE)));
	}
	return btoa(parts.join(""));
}

/** The bytes of base64. Returns nothing for text that is none. */
export function fromBase64(text: string): Uint8Array | undefined {
	let binary: string;
	try {
		binary = atob(text);
	} catch {
		return undefined;
	}
	const bytes = new Uint8Array(binary.length);
	for (let index = 0; index < binary.length; index++) bytes[index] = binary.charCodeAt(index);
	return bytes;
}
