import { type IncomingHttpHeaders, request } from "node:http";

export interface Answer {
	readonly status: number;
	readonly headers: IncomingHttpHeaders;
	readonly text: string;
	/** The body as JSON. */
	json(): unknown;
}

export interface Call {
	readonly method?: string;
	/** Sent as given, without any normalising. */
	readonly path?: string;
	readonly headers?: Readonly<Record<string, string>>;
	readonly body?: string | Buffer;
}

/** One request on a connection of its own. Node's client sends what `fetch` forbids: host names, origins, odd paths. */
export function call(port: number, { method = "GET", path = "/", headers = {}, body }: Call = {}): Promise<Answer> {
	return new Promise((resolve, reject) => {
		const outgoing = request({ host: "127.0.0.1", port, method, path, headers, agent: false }, (response) => {
			const chunks: Buffer[] = [];
			response.on("data", (chunk: Buffer) => chunks.push(chunk));
			response.on("error", reject);
			response.on("end", () => {
				const text = Buffer.concat(chunks).toString("utf8");
				resolve({
					status: response.statusCode ?? 0,
					headers: response.headers,
					text,
					json: () => JSON.parse(text),
				});
			});
		});
		outgoing.on("error", reject);
		outgoing.end(body);
	});
}

/** The `type` of a problem answer without its prefix, with its status. */
export function problemOf(answer: Answer): { status: number; code: string } {
	const { type } = answer.json() as { type: string };
	return { status: answer.status, code: type.replace("urn:sandbox-agent:error:", "") };
}
