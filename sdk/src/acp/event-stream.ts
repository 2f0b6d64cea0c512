import { SandboxAgentError } from "@sandbox-agent/core/errors";
import { createParser, type EventSourceMessage } from "eventsource-parser";

/** Limits of the reading of one stream. */
export interface EventStreamOptions {
	/** A stream without a byte for so long is broken, in milliseconds. */
	readonly idleMs: number;
	/** Called for each chunk, before its events. */
	readonly onActivity?: (() => void) | undefined;
}

/**
 * Reads server-sent events until the stream ends or the handler resolves with `true`. Events are handed over chunk by
 * chunk; the next chunk is read when the handler is done, so that a slow handler slows the sender and costs no memory.
 *
 * @throws connection_lost when the stream breaks or stays silent
 */
export async function readEventStream(
	body: ReadableStream<Uint8Array>,
	onEvents: (events: EventSourceMessage[]) => Promise<boolean>,
	options: EventStreamOptions,
): Promise<void> {
	for await (const events of eventBatches(body, options)) {
		if (await onEvents(events)) return;
	}
}

/** The same for a reader that takes the events of a chunk when it wants them. */
export async function* eventBatches(
	body: ReadableStream<Uint8Array>,
	options: EventStreamOptions,
): AsyncGenerator<EventSourceMessage[], void> {
	let events: EventSourceMessage[] = [];
	const parser = createParser({ onEvent: (event) => events.push(event) });
	const decoder = new TextDecoder();
	const reader = body.getReader();
	try {
		while (true) {
			const { done, value } = await readWithin(reader, options.idleMs);
			if (done) return;
			options.onActivity?.();
			parser.feed(decoder.decode(value, { stream: true }));
			if (events.length === 0) continue;
			const batch = events;
			events = [];
			yield batch;
		}
	} finally {
		// Whatever ended the reading, the connection is not used any more; a cancel that fails changes nothing.
		reader.cancel().catch(() => undefined);
	}
}

async function readWithin(reader: ReadableStreamDefaultReader<Uint8Array>, idleMs: number) {
	let timer: ReturnType<typeof setTimeout> | undefined;
	const silence = new Promise<never>((_, reject) => {
		const error = () =>
			new SandboxAgentError("connection_lost", `the event stream was silent for ${idleMs} ms, not even a heartbeat`);
		timer = setTimeout(() => reject(error()), idleMs);
	});
	try {
		return await Promise.race([reader.read(), silence]);
	} catch (cause) {
		if (SandboxAgentError.isInstance(cause)) throw cause;
		throw new SandboxAgentError("connection_lost", `the event stream broke: ${String(cause)}`, { cause });
	} finally {
		clearTimeout(timer);
	}
}
