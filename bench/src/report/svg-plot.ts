/** A line of a plot. */
export interface PlotLine {
	readonly label: string;
	readonly points: readonly { readonly x: number; readonly y: number }[];
}

/** A plot with logarithmic axes. */
export interface Plot {
	readonly title: string;
	readonly x: string;
	readonly y: string;
	readonly lines: readonly PlotLine[];
}

const WIDTH = 860;
const HEIGHT = 420;
const LEFT = 70;
const RIGHT = 250;
const TOP = 50;
const BOTTOM = 60;
const COLOURS = ["#0969da", "#1a7f37", "#8250df", "#bf3989", "#bc4c00", "#57606a"];

/** Draws a plot as an SVG document; powers of ten are marked on both axes. */
export function drawPlot({ title, x, y, lines }: Plot): string {
	const points = lines.flatMap((line) => line.points);
	const across = axisOf(points.map((point) => point.x));
	const up = axisOf(points.map((point) => point.y));
	const left = (value: number) => round(LEFT + across.share(value) * (WIDTH - LEFT - RIGHT));
	const top = (value: number) => round(HEIGHT - BOTTOM - up.share(value) * (HEIGHT - TOP - BOTTOM));
	const [bottom, right] = [HEIGHT - BOTTOM, WIDTH - RIGHT];
	const grid = [
		...across.marks.map(
			(mark) => `<path class="grid" d="M${left(mark)} ${TOP} V${bottom}"/>
	<text x="${left(mark)}" y="${bottom + 20}" text-anchor="middle">${mark.toLocaleString("en-US")}</text>`,
		),
		...up.marks.map(
			(mark) => `<path class="grid" d="M${LEFT} ${top(mark)} H${right}"/>
	<text x="${LEFT - 8}" y="${top(mark) + 4}" text-anchor="end">${mark}</text>`,
		),
	];
	const curves = lines.map(({ label, points: own }, index) => {
		const colour = COLOURS[index % COLOURS.length];
		const path = own.map((point, place) => `${place === 0 ? "M" : "L"}${left(point.x)} ${top(point.y)}`).join(" ");
		const dots = own.map((point) => `<circle cx="${left(point.x)}" cy="${top(point.y)}" r="3" fill="${colour}"/>`);
		const key = TOP + 10 + index * 22;
		return `<path d="${path}" fill="none" stroke="${colour}" stroke-width="1.8"/>
	${dots.join("")}
	<path d="M${right + 20} ${key} h20" stroke="${colour}" stroke-width="1.8"/>
	<text x="${right + 48}" y="${key + 4}">${escaped(label)}</text>`;
	});
	return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="system-ui, sans-serif" font-size="12" role="img" aria-label="${escaped(title)}">
	<style>text { fill: #424a53; } .title { font-size: 15px; font-weight: 600; fill: #1f2328; } .grid { stroke: #d0d7de; }</style>
	<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>
	<text class="title" x="${LEFT}" y="28">${escaped(title)}</text>
	${grid.join("\n\t")}
	<text x="${(LEFT + right) / 2}" y="${HEIGHT - 14}" text-anchor="middle">${escaped(x)}</text>
	<text transform="translate(18 ${(TOP + bottom) / 2}) rotate(-90)" text-anchor="middle">${escaped(y)}</text>
	${curves.join("\n\t")}
</svg>
`;
}

/** Powers of ten around the values, and where a value lies between the outermost of them, from 0 to 1. */
function axisOf(values: readonly number[]): { marks: number[]; share: (value: number) => number } {
	const logarithms = values.filter((value) => value > 0).map(Math.log10);
	const first = logarithms.length === 0 ? 0 : Math.floor(Math.min(...logarithms));
	const last = logarithms.length === 0 ? 1 : Math.max(first + 1, Math.ceil(Math.max(...logarithms)));
	const marks = Array.from({ length: last - first + 1 }, (_, index) => Number(`1e${first + index}`));
	return { marks, share: (value) => (Math.log10(Math.max(value, Number(`1e${first}`))) - first) / (last - first) };
}

function round(value: number): number {
	return Math.round(value * 10) / 10;
}

function escaped(text: string): string {
	return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
