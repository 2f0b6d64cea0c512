// What runs in the browser.
import { SandboxAgent } from "sandbox-agent";
import { runTurn, type TurnResult } from "./turn.ts";

export interface PageFunctions {
	turn(options: { baseUrl: string; token: string }): Promise<TurnResult>;
	/** The code of the error a first call ends with. */
	refusal(options: { baseUrl: string; token: string }): Promise<unknown>;
}

const functions: PageFunctions = {
	turn: (options) => runTurn(() => SandboxAgent.connect(options)),
	async refusal(options) {
		const client = await SandboxAgent.connect({ ...options, timeoutMs: 500 });
		try {
			await client.listAgents();
			return undefined;
		} catch (error) {
			return error instanceof Error && "code" in error ? error.code : error;
		} finally {
			await client.dispose();
		}
	},
};

Object.assign(globalThis, { inPage: functions });
