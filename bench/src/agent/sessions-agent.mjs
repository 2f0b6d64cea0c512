// An agent with many sessions that speak at a steady pace. A prompt `stream <updates a second>` speaks until it is
// cancelled; any other says one thing and ends.
const TEXT = "a few words of an answer, as models send them";
/** The pace is kept in steps of so many milliseconds, in which the sessions take turns. */
const STEP_MS = 1;

/** Sessions that speak: the id of their prompt, the time between two updates, and when the next one is due. */
const speaking = new Map();
let sessions = 0;

const send = (message) => process.stdout.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);

function say(sessionId) {
	const update = { sessionUpdate: "agent_message_chunk", content: { type: "text", text: TEXT } };
	send({ method: "session/update", params: { sessionId, update } });
}

function speak() {
	const now = performance.now();
	for (const [sessionId, turn] of speaking) {
		// What a busy machine has held up is made up for.
		for (; turn.due <= now; turn.due += turn.everyMs) say(sessionId);
	}
}

const methods = {
	initialize: () => ({ protocolVersion: 1, agentCapabilities: { loadSession: false }, authMethods: [] }),
	"session/new": () => ({ sessionId: `s${++sessions}` }),
	"session/prompt": ({ sessionId, prompt }, id) => {
		const [word, rate] = prompt.at(-1).text.split(" ");
		if (word === "stream") {
			const everyMs = 1000 / Number(rate);
			// They do not all speak at once.
			speaking.set(sessionId, { id, everyMs, due: performance.now() + Math.random() * everyMs });
			return undefined;
		}
		say(sessionId);
		return { stopReason: "end_turn" };
	},
};

setInterval(speak, STEP_MS);
let rest = "";
process.stdin.setEncoding("utf8");
process.stdin.on("end", () => process.exit(0));
process.stdin.on("data", (chunk) => {
	const lines = (rest + chunk).split("\n");
	rest = lines.pop() ?? "";
	for (const line of lines) {
		const { id, method, params } = JSON.parse(line);
		if (method === "session/cancel") {
			const turn = speaking.get(params.sessionId);
			speaking.delete(params.sessionId);
			if (turn) send({ id: turn.id, result: { stopReason: "cancelled" } });
		} else if (id !== undefined) {
			const result = methods[method]?.(params, id);
			if (result) send({ id, result });
		}
	}
});
