import { connect } from "node:net";

const TIMEOUT_MS = 1_000;

/** Whether something accepts connections at `<host>:<port>`. A port of this machine answers at once, either way. */
export function isListening(address: string): Promise<boolean> {
	const separator = address.lastIndexOf(":");
	const host = address.slice(0, separator).replace(/^\[|\]$/g, "");
	const port = Number(address.slice(separator + 1));
	if (host === "" || !Number.isInteger(port) || port < 1 || port > 65_535) return Promise.resolve(false);
	return new Promise((resolve) => {
		const socket = connect({ host, port, timeout: TIMEOUT_MS });
		const settle = (listening: boolean) => {
			socket.destroy();
			resolve(listening);
		};
		socket.once("connect", () => settle(true));
		socket.once("timeout", () => settle(false));
		socket.once("error", () => settle(false));
	});
}
