const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const COLON = 0x3a;
const COMMA = 0x2c;
const MINUS = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const LOWER_D = 0x64;
const LOWER_I = 0x69;
const LOWER_U = 0x75;

/** Longer lines are left to the full parser, which is faster on long strings. */
const MAX_LENGTH = 2048;

/** Deeper values are left to the full parser. */
const MAX_DEPTH = 30;

/**
 * Whether a line is, for certain, a JSON object without a member `id` at its top: a notification, which needs no routing.
 *
 * Most of what an agent says are notifications, and building their objects only to drop them costs more than everything
 * else that happens to them. This reads them once without building anything. It accepts nothing that is not valid JSON;
 * what it is not sure about (white space between tokens, exponents, escaped or doubtful names, deep nesting) it leaves to
 * the full parser by saying no.
 */
export function isPlainNotification(line: Uint8Array): boolean {
	const end = line.length;
	if (end < 2 || end > MAX_LENGTH || line[0] !== OPEN_BRACE) return false;
	let at = 1;
	let depth = 1;
	/** One bit per level: 1 for an object, 0 for an array. */
	let objects = 1;
	let expectsName = true;
	// An empty object or array closes where its first value would stand.
	let mayClose = true;
	while (at < end) {
		const byte = line[at] as number;
		if (mayClose && byte === (objects & 1 ? CLOSE_BRACE : CLOSE_BRACKET)) {
			// Falls through to the end of a value below.
		} else if (expectsName) {
			if (byte !== QUOTE) return false;
			const close = stringEnd(line, at + 1, end);
			if (close < 0 || line[close + 1] !== COLON) return false;
			if (depth === 1 && couldBeId(line, at + 1, close)) return false;
			at = close + 2;
			expectsName = false;
			mayClose = false;
			continue;
		} else if (byte === QUOTE) {
			at = stringEnd(line, at + 1, end);
			if (at < 0) return false;
			at += 1;
		} else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
			if (depth === MAX_DEPTH) return false;
			depth += 1;
			objects = (objects << 1) | (byte === OPEN_BRACE ? 1 : 0);
			expectsName = byte === OPEN_BRACE;
			mayClose = true;
			at += 1;
			continue;
		} else {
			at = scalarEnd(line, at, end);
			if (at < 0) return false;
		}
		// A value has ended, or an empty container is about to: close what closes, then expect the next one.
		while (line[at] === (objects & 1 ? CLOSE_BRACE : CLOSE_BRACKET)) {
			depth -= 1;
			objects >>>= 1;
			at += 1;
			if (depth === 0) return at === end;
		}
		if (line[at] !== COMMA) return false;
		at += 1;
		expectsName = (objects & 1) === 1;
		mayClose = false;
	}
	return false;
}

/** Offset of the closing quote of a string that begins at `at`; -1 when it is not valid or does not end. */
function stringEnd(line: Uint8Array, start: number, end: number): number {
	let at = start;
	while (at < end) {
		const byte = line[at] as number;
		if (byte === QUOTE) return at;
		if (byte < 0x20) return -1;
		if (byte === BACKSLASH) {
			const escaped = line[at + 1] as number;
			if (escaped === LOWER_U) {
				if (!isHex(line[at + 2]) || !isHex(line[at + 3]) || !isHex(line[at + 4]) || !isHex(line[at + 5])) return -1;
				at += 6;
				continue;
			}
			if (!isSimpleEscape(escaped)) return -1;
			at += 2;
			continue;
		}
		at += 1;
	}
	return -1;
}

/** Whether a name is `id`, or is written with escapes and could be. */
function couldBeId(line: Uint8Array, start: number, end: number): boolean {
	if (end - start === 2) return line[start] === LOWER_I && line[start + 1] === LOWER_D;
	for (let at = start; at < end; at++) if (line[at] === BACKSLASH) return true;
	return false;
}

/** Offset behind a number, `true`, `false` or `null`; -1 for anything else, also for exponents. */
function scalarEnd(line: Uint8Array, start: number, end: number): number {
	const byte = line[start] as number;
	if (byte === 0x74) return matches(line, start, "true") ? start + 4 : -1;
	if (byte === 0x66) return matches(line, start, "false") ? start + 5 : -1;
	if (byte === 0x6e) return matches(line, start, "null") ? start + 4 : -1;
	let at = byte === MINUS ? start + 1 : start;
	const digits = at;
	while (at < end && isDigit(line[at])) at += 1;
	// No digits at all, or a leading zero.
	if (at === digits || (line[digits] === ZERO && at - digits > 1)) return -1;
	if (line[at] !== DOT) return at;
	const fraction = at + 1;
	at = fraction;
	while (at < end && isDigit(line[at])) at += 1;
	return at === fraction ? -1 : at;
}

function matches(line: Uint8Array, start: number, word: string): boolean {
	for (let index = 0; index < word.length; index++) if (line[start + index] !== word.charCodeAt(index)) return false;
	return true;
}

function isDigit(byte: number | undefined): boolean {
	return byte !== undefined && byte >= ZERO && byte <= NINE;
}

function isHex(byte: number | undefined): boolean {
	if (byte === undefined) return false;
	const lower = byte | 0x20;
	return isDigit(byte) || (lower >= 0x61 && lower <= 0x66);
}

/** The letters that may follow a backslash: " \ / b f n r t. */
function isSimpleEscape(byte: number): boolean {
	switch (byte) {
		case QUOTE:
		case BACKSLASH:
		case 0x2f:
		case 0x62:
		case 0x66:
		case 0x6e:
		case 0x72:
		case 0x74:
			return true;
		default:
			return false;
	}
}
