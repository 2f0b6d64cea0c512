import { styleText } from "node:util";

/** A cell: text, and how it looks on a terminal. Width is counted before styling. */
export interface Cell {
	text: string;
	style?: "bold" | "dim" | "green" | "red" | "yellow" | "cyan" | undefined;
}

/**
 * Lays rows out in columns: the first one to the left, all others to the right.
 *
 * @param rows Cells; missing ones are empty.
 * @param colour False leaves out every escape sequence.
 */
export function formatTable(rows: readonly (readonly Cell[])[], colour: boolean): string {
	const columns = Math.max(0, ...rows.map((row) => row.length));
	const widths = Array.from({ length: columns }, (_, column) =>
		Math.max(0, ...rows.map((row) => row[column]?.text.length ?? 0)),
	);
	return rows
		.map((row) =>
			widths
				.map((width, column) => {
					const cell = row[column] ?? { text: "" };
					const space = " ".repeat(width - cell.text.length);
					const text = paint(cell, colour);
					return column === 0 ? text + space : space + text;
				})
				.join("  ")
				.trimEnd(),
		)
		.join("\n");
}

/** The text of a cell with its style, when `colour` is on. */
export function paint(cell: Cell, colour: boolean): string {
	if (!colour || cell.style === undefined) return cell.text;
	return styleText(cell.style, cell.text, { validateStream: false });
}

/** A number as a person reads it: three significant digits below a thousand, thousands separated above. */
export function formatNumber(value: number): string {
	const size = Math.abs(value);
	if (size >= 1000) return Math.round(value).toLocaleString("en-US");
	if (size >= 100 || Number.isInteger(value)) return String(Math.round(value));
	return value.toFixed(size >= 10 ? 1 : 2);
}
