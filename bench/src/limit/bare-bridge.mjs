// The lower bound that the results are read against: the least a Node server can do to pipe between HTTP and an agent.
// No log, no replay, no limits, no guard, and it knows the scripted agent's exact spelling of a reply.
//
//   node bare-bridge.mjs <port> <agent executable>
//
// Prints the port when it listens; 0 takes any free one.
import { spawn } from "node:child_process";

// An import statement would read every export of the module, among them the WebSocket of a fetch library that then loads: 20 ms.
const { createServer } = process.getBuiltinModule("node:http");
const { writeSync } = process.getBuiltinModule("node:fs");
const [port, agent] = process.argv.slice(2);
const connections = new Map();
const REPLY = '{"jsonrpc":"2.0","id":';

function connect(name) {
	const child = spawn(agent, [], { stdio: ["pipe", "pipe", "inherit"] });
	const connection = { child, waiting: new Map(), readers: new Set(), sequence: 0, rest: "" };
	child.stdin.on("error", () => connections.delete(name));
	child.on("exit", () => {
		for (const reader of connection.readers) reader.end();
	});
	child.stdout.setEncoding("latin1");
	child.stdout.on("data", (chunk) => {
		const lines = (connection.rest + chunk).split("\n");
		connection.rest = lines.pop();
		let events = "";
		for (const line of lines) {
			connection.sequence += 1;
			events += `event: message\nid: ${connection.sequence}\ndata: ${line}\n\n`;
			if (!line.startsWith(REPLY)) continue;
			const id = line.slice(REPLY.length, line.indexOf(",", REPLY.length));
			const response = connection.waiting.get(id);
			connection.waiting.delete(id);
			response?.writeHead(200, { "content-type": "application/json" }).end(line);
		}
		for (const reader of connection.readers) reader.write(events, "latin1");
	});
	connections.set(name, connection);
	return connection;
}

const server = createServer((request, response) => {
	const path = request.url.split("?", 1)[0];
	if (path === "/v1/health") {
		response.writeHead(200, { "content-type": "application/json" }).end('{"status":"ok"}');
		return;
	}
	const name = path.slice("/v1/acp/".length);
	const connection = connections.get(name);
	if (request.method === "GET") {
		if (!connection) return response.writeHead(404).end();
		response.writeHead(200, { "content-type": "text/event-stream" });
		response.write(": open\n\n");
		connection.readers.add(response);
		request.on("close", () => connection.readers.delete(response));
	} else if (request.method === "DELETE") {
		connections.delete(name);
		if (!connection) return response.writeHead(204).end();
		connection.child.on("exit", () => response.writeHead(204).end());
		connection.child.kill();
	} else {
		const chunks = [];
		request.on("data", (chunk) => chunks.push(chunk));
		request.on("end", () => {
			const body = Buffer.concat(chunks).toString("latin1");
			const target = connection ?? connections.get(name) ?? connect(name);
			const { id } = JSON.parse(body);
			if (id === undefined) response.writeHead(202).end();
			else target.waiting.set(JSON.stringify(id), response);
			target.child.stdin.write(`${body}\n`, "latin1");
		});
	}
});

server.listen(Number(port), "127.0.0.1", () => writeSync(1, `${server.address().port}\n`));
process.on("SIGTERM", () => {
	for (const connection of connections.values()) connection.child.kill();
	process.exit(0);
});
