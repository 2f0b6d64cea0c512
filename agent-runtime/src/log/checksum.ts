import * as zlib from "node:zlib";

/**
 * CRC-32 (the polynomial of gzip) of `data`, continuing from `seed`. Node computes it with vector instructions since
 * 20.15; older releases take the table below, which gives the same numbers.
 */
export const crc32: (data: Uint8Array, seed: number) => number = zlib.crc32 ?? crc32Table;

let tables: Uint32Array[] | undefined;

/** The portable form of {@link crc32}, eight bytes a step. */
export function crc32Table(data: Uint8Array, seed: number): number {
	tables ??= buildTables();
	const [t0, t1, t2, t3, t4, t5, t6, t7] = tables as [
		Uint32Array,
		Uint32Array,
		Uint32Array,
		Uint32Array,
		Uint32Array,
		Uint32Array,
		Uint32Array,
		Uint32Array,
	];
	const at = (table: Uint32Array, index: number): number => table[index & 0xff] as number;
	const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
	const end = data.byteLength;
	let crc = ~seed;
	let offset = 0;
	for (; offset + 8 <= end; offset += 8) {
		const low = crc ^ view.getInt32(offset, true);
		const high = view.getInt32(offset + 4, true);
		crc =
			at(t7, low) ^
			at(t6, low >>> 8) ^
			at(t5, low >>> 16) ^
			at(t4, low >>> 24) ^
			at(t3, high) ^
			at(t2, high >>> 8) ^
			at(t1, high >>> 16) ^
			at(t0, high >>> 24);
	}
	for (; offset < end; offset++) crc = (crc >>> 8) ^ at(t0, crc ^ view.getUint8(offset));
	return ~crc >>> 0;
}

function buildTables(): Uint32Array[] {
	const first = new Uint32Array(256);
	for (let index = 0; index < 256; index++) {
		let value = index;
		for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
		first[index] = value;
	}
	const all = [first];
	for (let table = 1; table < 8; table++) {
		const previous = all[table - 1] as Uint32Array;
		all.push(previous.map((value) => (value >>> 8) ^ (first[value & 0xff] as number)));
	}
	return all;
}
