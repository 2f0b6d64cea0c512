import type { ServerLink } from "../http/server-link.ts";
import { LogReader } from "./log-reader.ts";

/** Which lines of a log to read, and where they go. */
export interface LogPageRequest {
	/** Id of the line before the first one; 0 for the beginning. */
	readonly after: number;
	/** Id of the last line; one that was read before. */
	readonly to: number;
	/** Takes one line; `false` ends the page behind it. */
	readonly onLine: (data: string, id: number) => boolean;
	/** Lines of these ids, inclusive, are not retained any more. */
	readonly onGap: (gap: { readonly from: number; readonly to: number }) => void;
	readonly signal: AbortSignal;
}

/**
 * Reads some lines of a log that lie behind. Resolves with the id of the last line that was read or is lost.
 *
 * @throws the signal's reason
 * @throws connection_lost when the server could not be reached again
 */
export async function readLogPage(
	log: { link: ServerLink; path: string; epoch: string | undefined },
	{ after, to, onLine, onGap, signal }: LogPageRequest,
): Promise<number> {
	const full = new AbortController();
	let last = after;
	const reach = (id: number, goOn: boolean) => {
		last = Math.min(id, to);
		if (!goOn || id >= to) full.abort();
	};
	const reader = new LogReader({
		link: log.link,
		path: log.path,
		mayAppear: () => false,
		from: { id: after, epoch: log.epoch },
		handler: {
			onLine: (data, { id }) => reach(id, id > to || onLine(data, id)),
			onGap: (gap) => {
				onGap({ from: gap.from, to: Math.min(gap.to, to) });
				reach(gap.to, true);
			},
			onDegraded: () => undefined,
			onActivity: () => undefined,
		},
	});
	const end = await reader.run(AbortSignal.any([full.signal, signal]));
	signal.throwIfAborted();
	if (end.kind === "lost") throw end.error;
	if (end.kind === "gone" && last < to) {
		onGap({ from: last + 1, to });
		last = to;
	}
	return last;
}
