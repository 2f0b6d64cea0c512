import type { MountedPath } from "../server/mount.ts";
import { mountPath } from "../server/mount.ts";
import { sendEmpty } from "../server/send.ts";

/** The web pages under `/ui`: a single page, which every path without a file extension shows. */
export function createUiPages(): Map<string, MountedPath> {
	const page = mountPath(
		true,
		new Map([
			[
				"GET",
				async ({ request, response }) => {
					const path = (request.url ?? "").split("?", 1)[0] ?? "";
					if (isFile(path)) {
						sendEmpty(response, 404);
						return;
					}
					const { sendStatusPage } = await import("../server/status-page/page.ts");
					sendStatusPage(response);
				},
			],
		]),
	);
	return new Map([["/ui/*", page]]);
}

/** Whether a path names a file that is not there. `index.html` is the page itself. */
function isFile(path: string): boolean {
	const name = path.slice(path.lastIndexOf("/") + 1);
	return name.includes(".") && path !== "/ui/index.html";
}
