/** Number of bytes SHA-1 takes at a time. */
const BLOCK = 64;

/** Bytes behind the message at least: a one-bit and the message's length. */
const PADDING = 9;

const HEX = "0123456789abcdef";

/** Places of the bytes of a UUID that have a hyphen in front. */
const HYPHENS = new Set([4, 6, 8, 10]);

/** Two character codes for each value of a byte. */
const DIGITS = Uint8Array.from({ length: 512 }, (_, index) =>
	HEX.charCodeAt(index % 2 === 0 ? index >> 5 : (index >> 1) & 15),
);

/**
 * UUIDs of version 5 of names in one namespace: SHA-1 of both, as RFC 9562 has it. Every line of an agent needs one, and
 * the platforms' own hashes cost a new object each, or are asynchronous.
 */
export class UuidNames {
	readonly #namespace: Uint8Array;
	readonly #schedule = new Int32Array(80);
	readonly #state = new Int32Array(5);
	readonly #codes: number[] = new Array<number>(36).fill(HEX.charCodeAt(0));
	#bytes = new Uint8Array(2 * BLOCK);
	#view = new DataView(this.#bytes.buffer);

	/** @param namespace a UUID */
	constructor(namespace: string) {
		const digits = namespace.replaceAll("-", "").match(/../g) ?? [];
		this.#namespace = Uint8Array.from(digits, (pair) => Number.parseInt(pair, 16));
		this.#bytes.set(this.#namespace);
	}

	/** The id of a name. */
	of(name: string): string {
		const length = this.#write(name);
		const end = Math.ceil((length + PADDING) / BLOCK) * BLOCK;
		this.#bytes.fill(0, length, end);
		this.#bytes[length] = 0x80;
		this.#view.setUint32(end - 4, length * 8);
		const state = this.#state;
		state[0] = 0x67452301;
		state[1] = 0xefcdab89;
		state[2] = 0x98badcfe;
		state[3] = 0x10325476;
		state[4] = 0xc3d2e1f0;
		for (let offset = 0; offset < end; offset += BLOCK) this.#compress(offset);
		return this.#format();
	}

	/** Puts the name behind the namespace. Returns the length of both. */
	#write(name: string): number {
		const start = this.#namespace.length;
		// A UTF-16 unit is three bytes of UTF-8 at most.
		this.#reserve(start + 3 * name.length + PADDING + BLOCK);
		const bytes = this.#bytes;
		for (let index = 0; index < name.length; index++) {
			const code = name.charCodeAt(index);
			if (code > 127) return start + new TextEncoder().encodeInto(name, bytes.subarray(start)).written;
			bytes[start + index] = code;
		}
		return start + name.length;
	}

	#reserve(length: number): void {
		if (this.#bytes.length >= length) return;
		this.#bytes = new Uint8Array(2 * length);
		this.#view = new DataView(this.#bytes.buffer);
		this.#bytes.set(this.#namespace);
	}

	#compress(offset: number): void {
		const words = this.#schedule;
		for (let index = 0; index < 16; index++) words[index] = this.#view.getInt32(offset + index * 4);
		for (let index = 16; index < 80; index++) {
			words[index] = rotate(
				at(words, index - 3) ^ at(words, index - 8) ^ at(words, index - 14) ^ at(words, index - 16),
				1,
			);
		}
		const state = this.#state;
		let a = at(state, 0);
		let b = at(state, 1);
		let c = at(state, 2);
		let d = at(state, 3);
		let e = at(state, 4);
		for (let index = 0; index < 80; index++) {
			let mixed: number;
			if (index < 20) mixed = ((b & c) | (~b & d)) + 0x5a827999;
			else if (index < 40) mixed = (b ^ c ^ d) + 0x6ed9eba1;
			else if (index < 60) mixed = ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc;
			else mixed = (b ^ c ^ d) + 0xca62c1d6;
			const next = (rotate(a, 5) + mixed + e + at(words, index)) | 0;
			e = d;
			d = c;
			c = rotate(b, 30);
			b = a;
			a = next;
		}
		state[0] = at(state, 0) + a;
		state[1] = at(state, 1) + b;
		state[2] = at(state, 2) + c;
		state[3] = at(state, 3) + d;
		state[4] = at(state, 4) + e;
	}

	#format(): string {
		const codes = this.#codes;
		let position = 0;
		for (let index = 0; index < 16; index++) {
			let byte = (at(this.#state, index >> 2) >>> (24 - 8 * (index & 3))) & 0xff;
			if (index === 6) byte = (byte & 0x0f) | 0x50;
			if (index === 8) byte = (byte & 0x3f) | 0x80;
			if (HYPHENS.has(index)) codes[position++] = 45;
			codes[position++] = at(DIGITS, 2 * byte);
			codes[position++] = at(DIGITS, 2 * byte + 1);
		}
		return String.fromCharCode.apply(undefined, codes);
	}
}

/** An element that is known to be there. */
function at(array: Int32Array | Uint8Array, index: number): number {
	return array[index] as number;
}

function rotate(value: number, bits: number): number {
	return (value << bits) | (value >>> (32 - bits));
}
