// What runs in workerd: a worker that reaches the server through a binding.
import { SandboxAgent } from "sandbox-agent";
import { runTurn } from "./turn.ts";

interface Environment {
	readonly RUNTIME: { readonly fetch: typeof fetch };
	readonly TOKEN: string;
}

export default {
	async fetch(_request: Request, { RUNTIME, TOKEN }: Environment): Promise<Response> {
		const connect = () => SandboxAgent.connect({ fetch: (input, init) => RUNTIME.fetch(input, init), token: TOKEN });
		try {
			return Response.json(await runTurn(connect));
		} catch (error) {
			return new Response(error instanceof Error ? error.stack : String(error), { status: 500 });
		}
	},
};
