import { v5 } from "uuid";

/** Namespace of the ids this project derives. */
const NAMESPACE = "3f1c1d0e-5d0b-4f43-9a58-6c7b1a0f52e4";

/** Id of an agent's line: the same however often it is read. `epoch` is that of its log. */
export function lineEventId(epoch: string, logId: number): string {
	return v5(`line/${epoch}/${logId}`, NAMESPACE);
}

/** Id of a message this client sends, by its JSON-RPC id, which no other client of the connection uses. */
export function clientEventId(connectionId: string, requestId: string): string {
	return v5(`client/${connectionId}/${requestId}`, NAMESPACE);
}

/** Id of the reply to a request of this client that did not come as a line of a log. */
export function replyEventId(connectionId: string, requestId: string): string {
	return v5(`reply/${connectionId}/${requestId}`, NAMESPACE);
}

/** Id of the answer to an agent's request, by the id of the event that holds the request. */
export function answerEventId(requestEventId: string): string {
	return v5(`answer/${requestEventId}`, NAMESPACE);
}
