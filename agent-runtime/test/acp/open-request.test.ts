import { describe, expect, it } from "vitest";
import { OpenRequest } from "../../src/acp/open-request.ts";

const entry = { sequence: 1, generation: 1, id: 1, head: 0, state: "sending" } as const;
const patient = { answerEarlyAfterMs: 60_000, timeoutMs: undefined, hasReader: () => false };

describe("an open request", () => {
	it("lets a client that goes away go, and keeps the others", async () => {
		const request = new OpenRequest(entry, 1, "1");
		let leave: () => void = () => undefined;
		const left = request.wait({
			...patient,
			onGone: (listener) => {
				leave = listener;
			},
		});
		const stays = request.wait({ ...patient, onGone: () => undefined });
		leave();
		expect(await left).toEqual({ kind: "left" });
		const outcome = { kind: "reply", line: Buffer.from("{}") } as const;
		request.settle(outcome);
		expect(await stays).toBe(outcome);
		expect(await request.wait({ ...patient, onGone: () => undefined })).toBe(outcome);
	});
});
