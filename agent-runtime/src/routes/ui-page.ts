import type { ServerResponse } from "node:http";
import { sendText } from "../server/send.ts";
export function sendStatusPage(response: ServerResponse): void {
	sendText(response, 200, "text/html; charset=utf-8", "<!doctype html><title>Sandbox Agent</title>");
}
