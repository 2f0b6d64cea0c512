import type { ServerResponse } from "node:http";
import { PROBLEM_CONTENT_TYPE } from "@sandbox-agent/core/errors";
import { problemHeaders, toProblemDocument } from "./to-problem.ts";

/** Answers with a JSON document that is at hand as text or bytes. A HEAD request gets the headers alone. */
export function sendText(
	response: ServerResponse,
	status: number,
	contentType: string,
	text: string | Uint8Array,
): void {
	response.writeHead(status, { "content-type": contentType, "content-length": Buffer.byteLength(text) });
	response.end(text);
}

/** Answers with a value as JSON. */
export function sendJson(response: ServerResponse, status: number, value: unknown): void {
	sendText(response, status, "application/json", JSON.stringify(value));
}

/** Answers without a body. */
export function sendEmpty(response: ServerResponse, status: number): void {
	// 204 and 304 must not carry a length; the others must, or the peer waits for one.
	response.writeHead(status, status === 204 ? {} : { "content-length": 0 });
	response.end();
}

/**
 * Answers with the problem document of any thrown value. When part of an answer has been sent already, the connection is
 * cut instead, so that the peer does not take half an answer for a whole one.
 */
export function sendProblem(response: ServerResponse, thrown: unknown): void {
	if (response.headersSent) {
		response.destroy();
		return;
	}
	const problem = toProblemDocument(thrown);
	for (const [name, value] of problemHeaders(problem)) response.setHeader(name, value);
	sendText(response, problem.status, PROBLEM_CONTENT_TYPE, JSON.stringify(problem));
}
