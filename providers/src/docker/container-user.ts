import type { FileOwner } from "./archive.ts";

/** `user[:group]` of a container, each a name or a number; empty means root. */
export interface ContainerUser {
	readonly user: string;
	readonly group: string | undefined;
}

/** Splits the user of a container's configuration. */
export function parseUser(text: string): ContainerUser {
	const [user = "", group] = text.split(":", 2);
	return { user, group };
}

/** The ids of a user, `undefined` when a name has to be looked up in the container's `/etc/passwd`. */
export function numericOwner({ user, group }: ContainerUser): FileOwner | undefined {
	if (user === "" || user === "root") return { uid: 0, gid: 0 };
	if (!/^\d+$/.test(user)) return undefined;
	const uid = Number(user);
	return { uid, gid: group !== undefined && /^\d+$/.test(group) ? Number(group) : uid };
}

/** The ids of a named user in the text of `/etc/passwd`. */
export function ownerFromPasswd(user: string, passwd: string): FileOwner | undefined {
	for (const line of passwd.split("\n")) {
		const [name, , uid, gid] = line.split(":");
		if (name === user && uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) };
	}
	return undefined;
}
