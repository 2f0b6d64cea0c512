import { createHash } from "node:crypto";
import type { ServerResponse } from "node:http";
import { sendText } from "../send.ts";
import { runStatusPage } from "./script.ts";
import { STATUS_STYLE } from "./style.ts";

const SCRIPT = `(${runStatusPage.toString()})();`;

const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sandbox Agent</title>
<link rel="icon" href="data:,">
<style>${STATUS_STYLE}</style>
</head>
<body>
<main>
<header><h1>Sandbox Agent</h1><span class="version" id="version"></span><span id="state" role="status">connecting</span></header>
<form class="card" id="login" hidden>
<p>This server needs its token. It was printed, or its file was named, when the server started.</p>
<input id="token" type="password" autocomplete="off" aria-label="Token" placeholder="Token" required>
<button>Connect</button>
</form>
<div id="content" hidden>
<h2>Agents</h2>
<div class="card" id="agents"></div>
<h2>Connections</h2>
<div class="card" id="connections"></div>
<p><button id="refresh" type="button">Refresh</button></p>
</div>
<noscript><p>This page needs JavaScript; <code>sandbox-agent api agents list</code> does without.</p></noscript>
</main>
<script>${SCRIPT}</script>
</body>
</html>
`;

/** Nothing but this page's own script and style runs, and it talks to its own server alone. */
const POLICY = [
	"default-src 'none'",
	`script-src '${digest(SCRIPT)}'`,
	`style-src '${digest(STATUS_STYLE)}'`,
	"img-src data:",
	"connect-src 'self'",
	"base-uri 'none'",
	"form-action 'none'",
	"frame-ancestors 'none'",
].join("; ");

/** Answers with the status page, which holds no data: it asks for all of it with the token of the one who looks. */
export function sendStatusPage(response: ServerResponse): void {
	response.setHeader("content-security-policy", POLICY);
	response.setHeader("x-content-type-options", "nosniff");
	response.setHeader("referrer-policy", "no-referrer");
	sendText(response, 200, "text/html; charset=utf-8", PAGE);
}

function digest(text: string): string {
	return `sha256-${createHash("sha256").update(text).digest("base64")}`;
}
