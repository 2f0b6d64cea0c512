/** What the name of an archived log tells, so that retention opens no file. */
export interface ArchivedLog {
	/** Epoch milliseconds. */
	archivedAt: number;
	bytes: number;
	epoch: string;
}

const NAME = /^(\d{1,16})-(\d{1,16})-([0-9a-f-]{36})$/;

export function archiveName(log: ArchivedLog): string {
	return `${Math.round(log.archivedAt)}-${log.bytes}-${log.epoch}`;
}

/** Undefined for a name that {@link archiveName} did not make. */
export function parseArchiveName(name: string): ArchivedLog | undefined {
	const [, archivedAt, bytes, epoch] = NAME.exec(name) ?? [];
	if (archivedAt === undefined || bytes === undefined || epoch === undefined) return undefined;
	return { archivedAt: Number(archivedAt), bytes: Number(bytes), epoch };
}
