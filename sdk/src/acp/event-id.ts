import { UuidNames } from "./uuid-names.ts";

/** The ids this project derives. */
const IDS = new UuidNames("3f1c1d0e-5d0b-4f43-9a58-6c7b1a0f52e4");

/** Id of an agent's line: the same however often it is read. `epoch` is that of its log. */
export function lineEventId(epoch: string, logId: number): string {
	return IDS.of(`line/${epoch}/${logId}`);
}

/** Id of a message this client sends, by its JSON-RPC id, which no other client of the connection uses. */
export function clientEventId(connectionId: string, requestId: string): string {
	return IDS.of(`client/${connectionId}/${requestId}`);
}

/** Id of the reply to a request of this client that did not come as a line of a log. */
export function replyEventId(connectionId: string, requestId: string): string {
	return IDS.of(`reply/${connectionId}/${requestId}`);
}

/** Id of the answer to an agent's request, by the id of the event that holds the request. */
export function answerEventId(requestEventId: string): string {
	return IDS.of(`answer/${requestEventId}`);
}

/** Id of the note how an agent's request was decided, by the id of the event that holds the request. */
export function auditEventId(requestEventId: string): string {
	return IDS.of(`audit/${requestEventId}`);
}

/** Digest of a prompt: the same for the same content. */
export function promptDigest(prompt: unknown): string {
	return IDS.of(`prompt/${JSON.stringify(prompt)}`);
}
