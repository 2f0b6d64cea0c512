import type { ScriptedAnswer } from "./answer.ts";
import type { HistoryEntry } from "./conversation.ts";

/** What is remembered of a request to the model. */
export interface LoggedRequest {
	readonly method: string;
	readonly path: string;
	/** `undefined` for requests that are not to a model, such as a list of models. */
	readonly protocol?: string | undefined;
	readonly model?: string | undefined;
	/** The key it carried, in whichever header. */
	readonly key: string | undefined;
	/** Names of the tools it offered. */
	readonly tools: readonly string[];
	readonly prompt: string;
	readonly results: readonly string[];
	/** The whole conversation that it repeated, oldest first. */
	readonly history: readonly HistoryEntry[];
	readonly answer?: ScriptedAnswer | undefined;
	/** HTTP status of the answer, once there is one. */
	status: number | undefined;
	/** Whether the agent hung up before the answer was whole. */
	aborted: boolean;
}

/** The newest requests that are remembered. */
const CAPACITY = 1000;

/** Remembers the requests to a scripted model, the newest thousand. */
export class RequestLog {
	readonly requests: LoggedRequest[] = [];

	add(request: LoggedRequest): LoggedRequest {
		this.requests.push(request);
		if (this.requests.length > CAPACITY) this.requests.shift();
		return request;
	}

	clear(): void {
		this.requests.length = 0;
	}
}
