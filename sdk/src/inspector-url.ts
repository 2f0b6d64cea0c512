/** What the address of the inspector is made of. */
export interface InspectorUrlOptions {
	baseUrl: string;
	/** Ends up in the address, and so in the browser's history. */
	token?: string | undefined;
	/** Sent by the inspector with each request. */
	headers?: Record<string, string> | undefined;
}

/** The address of the web interface that a server brings along. */
export function buildInspectorUrl(options: InspectorUrlOptions): string {
	const query = new URLSearchParams();
	if (options.token) query.set("token", options.token);
	if (options.headers && Object.keys(options.headers).length > 0) query.set("headers", JSON.stringify(options.headers));
	const text = query.toString();
	return `${options.baseUrl.replace(/\/+$/, "")}/ui/${text === "" ? "" : `?${text}`}`;
}
