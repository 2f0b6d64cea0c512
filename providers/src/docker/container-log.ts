import type Docker from "dockerode";

const TAIL_LINES = 100;
const TAIL_BYTES = 8 * 1024;
const HEADER_BYTES = 8;

/** The end of a container's output, at most 8 KiB. */
export async function logTail(container: Docker.Container): Promise<string> {
	const output = await container.logs({ stdout: true, stderr: true, tail: TAIL_LINES });
	const text = demultiplex(output).toString("utf8");
	return text.length > TAIL_BYTES ? text.slice(-TAIL_BYTES) : text;
}

/**
 * Removes the frames around the chunks of both streams: one byte for the stream, three zeros, four for the length.
 * The output of a container with a terminal has none.
 * @see https://docs.docker.com/reference/api/engine/ (Attach to a container, stream format)
 */
export function demultiplex(output: Buffer): Buffer {
	const chunks: Buffer[] = [];
	let position = 0;
	while (position + HEADER_BYTES <= output.length) {
		const isFrame = output.readUInt8(position) <= 2 && output.readUIntBE(position + 1, 3) === 0;
		if (!isFrame) return output;
		const length = output.readUInt32BE(position + 4);
		chunks.push(output.subarray(position + HEADER_BYTES, position + HEADER_BYTES + length));
		position += HEADER_BYTES + length;
	}
	return Buffer.concat(chunks);
}
