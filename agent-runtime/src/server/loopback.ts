import { BlockList, isIP } from "node:net";

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet("127.0.0.0", 8, "ipv4");
LOOPBACK.addAddress("::1", "ipv6");

/** Whether an IP address reaches this machine only. */
export function isLoopbackAddress(address: string): boolean {
	const version = isIP(address);
	return version !== 0 && LOOPBACK.check(address, version === 6 ? "ipv6" : "ipv4");
}

/** Whether a host name or address, lower-case and without brackets, means this machine wherever it is resolved. */
export function isLoopbackName(name: string): boolean {
	return name === "localhost" || name.endsWith(".localhost") || isLoopbackAddress(name);
}

/** An address as it stands in a URL. */
export function urlHost(host: string): string {
	return isIP(host) === 6 ? `[${host}]` : host;
}
