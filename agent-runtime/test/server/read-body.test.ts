import { createServer, type IncomingMessage } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { describe, expect, it } from "vitest";
import { type ReadBodyOptions, readBody } from "../../src/server/read-body.ts";

/** What reading the body of a request ends with, when the client sends these pieces and then does `last`. */
async function outcomeOf(pieces: readonly string[], last: "end" | "hang up" | "stall", options: ReadBodyOptions) {
	const outcome = new Promise<unknown>((resolve) => {
		const server = createServer((request: IncomingMessage) => {
			readBody(request, options)
				.then(
					(body) => resolve(body.toString()),
					(error: unknown) => resolve(error),
				)
				.finally(() => {
					server.closeAllConnections();
					server.close();
				});
		});
		server.listen(0, "127.0.0.1", () => {
			const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
			socket.on("error", () => undefined);
			socket.write("POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n");
			for (const piece of pieces) socket.write(`${piece.length.toString(16)}\r\n${piece}\r\n`);
			if (last === "end") socket.write("0\r\n\r\n");
			if (last === "hang up") socket.end();
		});
	});
	return outcome;
}

describe("readBody", () => {
	it("joins the pieces of a body", async () => {
		expect(await outcomeOf(["one,", "two,", "three"], "end", { maxBytes: 100 })).toBe("one,two,three");
		expect(await outcomeOf([], "end", { maxBytes: 100 })).toBe("");
	});

	it("takes exactly the limit and not one byte more", async () => {
		expect(await outcomeOf(["12345"], "end", { maxBytes: 5 })).toBe("12345");
		expect(await outcomeOf(["123", "456"], "end", { maxBytes: 5 })).toMatchObject({
			code: "invalid_request",
			status: 413,
		});
	});

	it("gives up on a sender that pauses for too long", async () => {
		const outcome = await outcomeOf(["12"], "stall", { maxBytes: 5, idleTimeoutMs: 30 });
		expect(outcome).toMatchObject({ code: "timeout", status: 408 });
	});

	it("notices a sender that goes away in the middle", async () => {
		expect(await outcomeOf(["12"], "hang up", { maxBytes: 5 })).toMatchObject({ code: "connection_lost" });
	});
});
