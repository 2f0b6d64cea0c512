/** The absolute path of a program, also of the system's own folders, which are not on every user's PATH. */
export function findProgram(name: string): string | undefined;
