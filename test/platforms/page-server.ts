import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** Serves one page with one script on this machine, under two names: two origins for a browser. */
export async function servePage(code: string) {
	const server = createServer((request, response) => {
		const isScript = request.url === "/page.js";
		response.setHeader("content-type", isScript ? "text/javascript" : "text/html; charset=utf-8");
		response.end(isScript ? code : '<!doctype html><title>page</title><script type="module" src="/page.js"></script>');
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	const { port } = server.address() as AddressInfo;
	return {
		origin: `http://127.0.0.1:${port}`,
		otherOrigin: `http://localhost:${port}`,
		async [Symbol.asyncDispose](): Promise<void> {
			server.closeAllConnections();
			await new Promise((resolve) => server.close(resolve));
		},
	};
}
