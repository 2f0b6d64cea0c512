import { SandboxAgentError } from "@sandbox-agent/core/errors";

/** Length of a key, in bytes: AES with 256 bits. */
const KEY_BYTES = 32;

/** Length of what makes each encryption another one, in bytes. */
const IV_BYTES = 12;

/** Length of the proof that nothing was changed, in bytes. */
const TAG_BYTES = 16;

/** Where a chunk belongs. It is part of the proof: a chunk cannot be taken for another one. */
interface ChunkPlace {
	readonly sessionId: string;
	readonly path: string;
	readonly offset: number;
}

/** Encrypts the chunks of capsules with AES-256-GCM. What it makes is the initialization vector, the text and the tag. */
export class CapsuleCipher {
	readonly #bytes: Uint8Array<ArrayBuffer>;
	#key: Promise<CryptoKey> | undefined;

	/** @throws invalid_request unless the key has 32 bytes */
	constructor(key: Uint8Array) {
		if (key.length !== KEY_BYTES) {
			throw new SandboxAgentError("invalid_request", `capsule.key has ${key.length} bytes, it must have ${KEY_BYTES}`);
		}
		this.#bytes = Uint8Array.from(key);
	}

	async seal(plain: Uint8Array, place: ChunkPlace): Promise<Uint8Array> {
		const key = await this.#cryptoKey();
		const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES));
		const additionalData = describe(place, plain.length);
		const text = await crypto.subtle.encrypt({ name: "AES-GCM", iv, additionalData }, key, Uint8Array.from(plain));
		const sealed = new Uint8Array(IV_BYTES + text.byteLength);
		sealed.set(iv);
		sealed.set(new Uint8Array(text), IV_BYTES);
		return sealed;
	}

	/** Returns nothing for what this key has not sealed for this place. */
	async open(sealed: Uint8Array, place: ChunkPlace): Promise<Uint8Array | undefined> {
		const size = sealed.length - IV_BYTES - TAG_BYTES;
		if (size < 0) return undefined;
		const key = await this.#cryptoKey();
		const iv = Uint8Array.from(sealed.subarray(0, IV_BYTES));
		const additionalData = describe(place, size);
		try {
			const text = Uint8Array.from(sealed.subarray(IV_BYTES));
			return new Uint8Array(await crypto.subtle.decrypt({ name: "AES-GCM", iv, additionalData }, key, text));
		} catch {
			// The one reason for which it fails is that the proof does not fit; no more is told about it.
			return undefined;
		}
	}

	#cryptoKey(): Promise<CryptoKey> {
		if (globalThis.crypto?.subtle === undefined) {
			throw new SandboxAgentError("platform_unsupported", "there is no WebCrypto here to encrypt capsules with", {
				hint: "browsers have it on pages that were loaded over https or from localhost",
			});
		}
		this.#key ??= crypto.subtle.importKey("raw", this.#bytes, "AES-GCM", false, ["encrypt", "decrypt"]);
		return this.#key;
	}
}

function describe({ sessionId, path, offset }: ChunkPlace, size: number): Uint8Array<ArrayBuffer> {
	return new TextEncoder().encode(JSON.stringify([sessionId, path, offset, size]));
}
