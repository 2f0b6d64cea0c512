/** One word of a POSIX shell command, safe for any text without NUL. */
export function shellQuote(word: string): string {
	if (word !== "" && /^[\w@%+=:,./-]+$/.test(word)) return word;
	return `'${word.replaceAll("'", `'\\''`)}'`;
}
