import { parseArgs } from "node:util";
import { startScriptedModel } from "./server.ts";

/**
 * A scripted model as a program: `node test/scripted-model/main.ts --host 127.0.0.1 --port 0 [--key K] [--model ID]...`.
 * Prints one line, `{"url":"http://…","port":…}`, when it listens. Ends on SIGINT and SIGTERM.
 */
const { values } = parseArgs({
	options: {
		host: { type: "string", default: "127.0.0.1" },
		port: { type: "string", default: "0" },
		key: { type: "string" },
		model: { type: "string", multiple: true },
	},
});

const model = await startScriptedModel({
	host: values.host,
	port: Number(values.port),
	key: values.key,
	models: values.model,
});
console.log(JSON.stringify({ url: model.url, port: model.port }));
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void model.close());
