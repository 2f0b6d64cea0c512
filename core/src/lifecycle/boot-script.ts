import { shellQuote } from "../util/shell-quote.ts";

/** File name of the runtime inside its directory. */
export const RUNTIME_FILE = "sandbox-agent.mjs";

/** How the boot script ends. */
export const BOOT_EXIT = {
	ok: 0,
	/** The runtime is not there yet: upload it to `part` in the printed `dir` and run the script again. */
	uploadNeeded: 42,
	/** The state directory cannot be made. */
	notWritable: 43,
	/** No Node, or an old one. */
	noNode: 44,
	/** There is no token, neither in the sandbox nor given. */
	noToken: 45,
	/** The server process ended before it listened, or does not live. */
	serverDied: 46,
} as const;

/** What a boot script is made for. Nothing here is secret: all of it appears in command text. */
export interface BootScriptOptions {
	readonly sha256: string;
	readonly sizeBytes: number;
	readonly host: string;
	readonly port: number;
	/** Name of an uploaded file beside the runtime, to be put in its place when it is complete. */
	readonly part?: string | undefined;
}

/**
 * Directories and helpers shared by all scripts. `$r` holds all runtimes, `$s` the state of the server on one port
 * (token, pid, log): it is not per build, because a newer client leaves a running server and its token in place.
 */
function prelude(port: number): string {
	return `umask 077
h=\${HOME:-}
[ -n "$h" ] || h=$(awk -F: -v u="$(id -u)" '$3==u{print $6;exit}' /etc/passwd 2>/dev/null)
[ -n "$h" ] || h=/
export HOME="$h" PATH="\${PATH:-}:/usr/local/bin:/usr/bin:/bin:$h/.local/bin"
r="\${XDG_DATA_HOME:-$h/.local/share}/sandbox-agent/runtime"
s="$r/port-${port}"
words() { if [ -r "/proc/$1/cmdline" ]; then tr '\\0' ' ' <"/proc/$1/cmdline"; else ps -o command= -p "$1"; fi 2>/dev/null; }
alive() { p=$(cat "$s/pid" 2>/dev/null) && [ -n "$p" ] && kill -0 "$p" 2>/dev/null && case "$(words "$p")" in *" server "*" --port ${port} "*) ;; *) return 1 ;; esac; }
token() { t=$(cat "$s/token") && if [ "$t" = "\${SANDBOX_AGENT_TOKEN:-}" ]; then echo token=same; else echo "token=$t"; fi; }
log() { echo log=; tail -c 8192 "$s/log" 2>/dev/null; }
died() { log; exit ${BOOT_EXIT.serverDied}; }
`;
}

/**
 * The script that makes sure the server runs: prints `key=value` lines and exits with one of {@link BOOT_EXIT}.
 *
 * It is idempotent and safe to run twice at the same time. The token comes in `SANDBOX_AGENT_TOKEN` and is removed from
 * the environment before the server starts. The server reports through a pipe that it listens, so the script returns at
 * that moment, or at the moment of its death.
 */
export function bootScript(options: BootScriptOptions): string {
	const { port, host, sha256, sizeBytes, part } = options;
	const place = part
		? `u="$d/${part}"
	if [ -f "$u" ] && [ "$(wc -c <"$u")" -eq ${sizeBytes} ]; then mv -f "$u" "$f"; else rm -f "$u"; fi
	`
		: "";
	return `${prelude(port)}d="$r/${sha256}"
f="$d/${RUNTIME_FILE}"
mkdir -p "$d" "$s" || exit ${BOOT_EXIT.notWritable}
if alive; then echo state=running; token; exit 0; fi
v=$(node --version 2>/dev/null)
case $v in
	"" | v[0-9].* | v1[0-9].*) echo "node=$v"; echo "machine=$(uname -m)"; exit ${BOOT_EXIT.noNode} ;;
esac
if [ ! -f "$f" ]; then
	${place}[ -f "$f" ] || { echo "dir=$d"; exit ${BOOT_EXIT.uploadNeeded}; }
fi
if [ ! -s "$s/token" ]; then
	[ -n "\${SANDBOX_AGENT_TOKEN:-}" ] || exit ${BOOT_EXIT.noToken}
	printf %s "$SANDBOX_AGENT_TOKEN" >"$s/token.$$" || exit ${BOOT_EXIT.notWritable}
	ln "$s/token.$$" "$s/token" 2>/dev/null
	rm -f "$s/token.$$"
fi
echo $$ >"$s/lock.$$"
if ! ln "$s/lock.$$" "$s/lock" 2>/dev/null; then
	q=$(cat "$s/lock" 2>/dev/null)
	if [ -n "$q" ] && kill -0 "$q" 2>/dev/null; then rm -f "$s/lock.$$"; echo state=starting; token; exit 0; fi
	mv -f "$s/lock.$$" "$s/lock"
fi
trap 'rm -f "$s/lock" "$s/lock.$$" "$s/ready.$$"' EXIT
mkfifo "$s/ready.$$" || exit ${BOOT_EXIT.notWritable}
[ ! -f "$s/log" ] || [ "$(wc -c <"$s/log")" -lt 1048576 ] || mv -f "$s/log" "$s/log.1"
n=$(command -v setsid || command -v nohup)
(
	unset SANDBOX_AGENT_TOKEN
	export NODE_COMPILE_CACHE="$d/compile-cache"
	cd "$HOME" 2>/dev/null || cd /
	exec $n sh -c 'echo $$ >"$0/pid"; exec node "$1" server --host "$2" --port "$3" --token-file "$0/token" --ready-fd 3 --detached' "$s" "$f" ${shellQuote(host)} ${port} </dev/null >>"$s/log" 2>&1 3>"$s/ready.$$"
) </dev/null >/dev/null 2>&1 &
if IFS= read -r line <"$s/ready.$$"; then echo state=started; token; else died; fi
`;
}

/** The script that asks whether the server lives; exits with `serverDied` and the end of its log when it does not. */
export function probeScript(port: number): string {
	return `${prelude(port)}alive || died\n`;
}

/** The `key=value` lines of a script's output; `log` takes everything after its line. */
export function parseBootOutput(output: string): Record<string, string> {
	const values: Record<string, string> = {};
	let rest = output;
	while (rest !== "") {
		const end = rest.indexOf("\n");
		const line = end < 0 ? rest : rest.slice(0, end);
		rest = end < 0 ? "" : rest.slice(end + 1);
		const separator = line.indexOf("=");
		if (separator < 0) continue;
		const key = line.slice(0, separator);
		if (key === "log") return { ...values, log: rest };
		values[key] = line.slice(separator + 1).trimEnd();
	}
	return values;
}
