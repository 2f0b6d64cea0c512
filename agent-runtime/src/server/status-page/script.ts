/**
 * What the status page does in the browser. Its text is embedded in the page, so it refers to nothing outside of itself.
 *
 * The token comes from the fragment of the address, which no server and no log ever sees, or from the form; it is kept
 * for this tab alone and taken out of the address bar.
 */
export function runStatusPage(): void {
	type Agent = { id: string; installed: boolean; credentialsAvailable: boolean; serverStatus?: { uptimeMs?: number } };
	type Connection = { serverId: string; agent: string; createdAtMs: number };

	const key = "sandbox-agent-token";
	const byId = (id: string) => {
		const element = document.getElementById(id);
		if (!element) throw new Error(`no element ${id}`);
		return element;
	};
	const form = byId("login");
	const input = byId("token") as HTMLInputElement;

	function takeToken(): void {
		const given =
			new URLSearchParams(location.hash.slice(1)).get("token") ?? new URLSearchParams(location.search).get("token");
		if (given === null) return;
		sessionStorage.setItem(key, given);
		history.replaceState(null, "", location.pathname);
	}

	function say(kind: "good" | "bad" | "", text: string): void {
		const state = byId("state");
		state.dataset.kind = kind;
		state.textContent = text;
	}

	function table(id: string, head: string[], rows: { text: string; good?: boolean }[][], empty: string): void {
		const target = byId(id);
		target.replaceChildren();
		if (rows.length === 0) {
			const none = document.createElement("p");
			none.className = "none";
			none.textContent = empty;
			target.append(none);
			return;
		}
		const result = document.createElement("table");
		const headRow = result.createTHead().insertRow();
		for (const text of head) {
			const cell = document.createElement("th");
			cell.scope = "col";
			cell.textContent = text;
			headRow.append(cell);
		}
		const body = result.createTBody();
		for (const row of rows) {
			const line = body.insertRow();
			for (const { text, good } of row) {
				const cell = line.insertCell();
				cell.textContent = text;
				if (good) cell.className = "good";
			}
		}
		target.append(result);
	}

	function duration(milliseconds: number): string {
		const seconds = Math.round(milliseconds / 1000);
		if (seconds < 90) return `${seconds} s`;
		if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
		return `${Math.round(seconds / 3600)} h`;
	}

	async function get(path: string): Promise<Response> {
		const token = sessionStorage.getItem(key);
		return fetch(path, { headers: token === null ? {} : { authorization: `Bearer ${token}` }, cache: "no-store" });
	}

	function show(agents: Agent[], connections: Connection[]): void {
		table(
			"agents",
			["Agent", "Installed", "Credentials", "Running"],
			agents.map((agent) => [
				{ text: agent.id },
				{ text: agent.installed ? "yes" : "no", good: agent.installed },
				{ text: agent.credentialsAvailable ? "available" : "none", good: agent.credentialsAvailable },
				{ text: agent.serverStatus ? duration(agent.serverStatus.uptimeMs ?? 0) : "–" },
			]),
			"No agents.",
		);
		table(
			"connections",
			["Connection", "Agent", "Since"],
			connections.map(({ serverId, agent, createdAtMs }) => [
				{ text: serverId },
				{ text: agent },
				{ text: new Date(createdAtMs).toLocaleString() },
			]),
			"None. They appear when a client starts a session.",
		);
	}

	async function refresh(): Promise<void> {
		const [agents, connections] = await Promise.all([get("/v1/agents"), get("/v1/acp")]);
		byId("version").textContent = agents.headers.get("sandbox-agent-version") ?? "";
		form.hidden = agents.status !== 401;
		byId("content").hidden = !agents.ok;
		if (agents.status === 401) {
			say("bad", sessionStorage.getItem(key) === null ? "needs a token" : "the token is not accepted");
			input.focus();
			return;
		}
		if (!agents.ok || !connections.ok) {
			say("bad", `the server answered ${agents.ok ? connections.status : agents.status}`);
			return;
		}
		show((await agents.json()).agents, (await connections.json()).servers);
		say("good", "running");
	}

	function update(): void {
		refresh().catch(() => say("bad", "not reachable"));
	}

	form.addEventListener("submit", (event) => {
		event.preventDefault();
		sessionStorage.setItem(key, input.value.trim());
		input.value = "";
		update();
	});
	byId("refresh").addEventListener("click", update);
	// A new fragment with a token does not load the page again.
	addEventListener("hashchange", () => {
		takeToken();
		update();
	});
	addEventListener("focus", update);
	takeToken();
	update();
}
