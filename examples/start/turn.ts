import type { Session } from "sandbox-agent";
import type { PermissionDesk } from "./permission-desk.ts";
import type { TurnRenderer } from "./renderer.ts";

/** Sends the prompt and shows its turn. Resolves with the reason for which the turn ended. */
export async function showTurn(
	session: Session,
	prompt: string,
	{ renderer, desk, signal }: { renderer: TurnRenderer; desk: PermissionDesk; signal: AbortSignal },
): Promise<string> {
	let fail: (error: unknown) => void = () => undefined;
	const failed = new Promise<never>((_, reject) => {
		fail = reject;
	});
	const stopListening = session.onPermissionRequest((request) => desk.take(session, request, fail));
	const turn = session.stream(prompt, { signal });
	const show = async () => {
		for await (const update of turn) {
			await desk.idle();
			renderer.show(update);
		}
		return (await turn.response).stopReason;
	};
	try {
		return await Promise.race([show(), failed]);
	} finally {
		stopListening();
		renderer.finish();
	}
}
