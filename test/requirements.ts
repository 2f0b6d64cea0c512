import { SDK_REQUIREMENTS } from "../sdk/test/requirements-sdk.ts";

/** One promise that the tests keep. Tests cite it in their names as `[id]`. */
export interface Requirement {
	/** `<area>/<name>` (or `<area>-<name>`); never reused for another promise. */
	readonly id: string;
	/** What a user can rely on, in one sentence. */
	readonly sentence: string;
}

/** The areas an id can belong to; a citation of another area is not recognised as one. */
export const AREAS = [
	"wire",
	"guard",
	"cors",
	"agents",
	"acp",
	"fs",
	"log",
	"mock",
	"cli",
	"server",
	"sdk",
	"session",
	"permission",
	"start",
	"local",
	"docker",
	"chaos",
	"process",
] as const;

const wire: readonly Requirement[] = [
	{
		id: "wire/problem-everywhere",
		sentence: "Every error answer, also of routing and parsing, is a problem document.",
	},
	{
		id: "wire/method-not-allowed",
		sentence: "A known path with another method answers 405 and lists the methods it has.",
	},
	{
		id: "wire/unknown-route",
		sentence: "An unknown path answers 404 with type invalid_request, also without a token.",
	},
	{ id: "wire/query-booleans", sentence: "A boolean in a query is exactly true or false; anything else answers 400." },
	{ id: "wire/body-not-json", sentence: "A body that is not JSON answers 400 and says what is wrong with it." },
	{ id: "wire/body-not-object", sentence: "A JSON body that is not an object answers 400." },
	{
		id: "wire/body-limit",
		sentence: "Bodies far above 2 MiB are accepted; one above the configured limit answers 413.",
	},
	{ id: "wire/head", sentence: "Every GET route answers HEAD, the event stream included." },
	{
		id: "wire/version-headers",
		sentence: "Every answer names the server's build and the generation of its interface.",
	},
	{ id: "wire/error-round-trip", sentence: "Every error code survives the way over the wire unchanged." },
];

const guard: readonly Requirement[] = [
	{
		id: "guard/token-required",
		sentence: "Every v1 route, health included, needs the token; a wrong one answers 401.",
	},
	{
		id: "guard/token-scheme",
		sentence: "Only `Authorization: Bearer <token>` is accepted; a 401 carries www-authenticate.",
	},
	{ id: "guard/token-order", sentence: "The token is checked before method, media type and body." },
	{ id: "guard/foreign-host", sentence: "A server on loopback refuses a request whose Host is not its own with 403." },
	{ id: "guard/foreign-origin", sentence: "A request from a page of another origin answers 403 permission_denied." },
	{ id: "guard/upgrades", sentence: "Host, Origin and token are checked on upgrade requests as on any other." },
	{
		id: "guard/no-secret-in-logs",
		sentence: "No token or access_token value appears in the request log or in an error.",
	},
	{
		id: "guard/no-secret-in-processes",
		sentence: "No token appears in a command line or in the environment of a child.",
	},
];

const cors: readonly Requirement[] = [
	{ id: "cors/listed-origin", sentence: "Only a configured origin is echoed; an arbitrary one never is." },
	{ id: "cors/preflight", sentence: "Any OPTIONS answers 200 without a token and names the route's methods." },
	{ id: "cors/wildcard", sentence: "The origin `*` works; together with credentials it is a usage error." },
];

const agents: readonly Requirement[] = [
	{ id: "agents/fixed-order", sentence: "The agent list always has the same ids in the same order." },
	{
		id: "agents/status-follows-process",
		sentence: "serverStatus stops saying running when the agent process has died.",
	},
	{ id: "agents/empty-credential", sentence: "An empty credential variable does not count as a credential." },
	{
		id: "agents/expired-login",
		sentence: "An expired login is not available, whether its expiry is a number or a text.",
	},
	{ id: "agents/install-tail", sentence: "A failed installation reports the end of the installer's own output." },
	{ id: "agents/install-atomic", sentence: "An installation that fails half-way leaves nothing that looks installed." },
	{ id: "agents/install-shared", sentence: "Concurrent installations of one agent are one installation." },
	{ id: "agents/install-disk-full", sentence: "A full disk during an installation is an install_failed that says so." },
	{ id: "agents/install-unreachable", sentence: "An unreachable package registry is an install_failed that names it." },
	{
		id: "agents/install-lazy",
		sentence: "The first message to an agent installs it; preinstall mode answers 404 instead.",
	},
	{
		id: "agents/local-path",
		sentence: "A launcher in the data directory or on PATH is used as it is, for any agent id.",
	},
	{ id: "agents/unknown", sentence: "An unknown agent answers 400 unsupported_agent and names it." },
	{
		id: "agents/resume-killed",
		sentence: "A session whose agent was killed in mid-turn can be loaded, and the agent knows all that was finished.",
	},
	{
		id: "agents/resume-ended",
		sentence:
			"An agent that says it can resume takes a session up without repeating it, and its model knows what was said.",
	},
	{
		id: "agents/capsule-deltas",
		sentence: "A capture takes what an agent has added to its files of a session, and whole files only when rewritten.",
	},
	{
		id: "agents/capsule-bounded",
		sentence: "Captures and restores need bounded memory; a session over the limit is refused, not cut.",
	},
	{
		id: "agents/capsule-only-session",
		sentence:
			"A capsule holds the agent's files of one session: no credential, nothing behind a link, no other session.",
	},
	{
		id: "agents/capsule-hostile",
		sentence: "A restore writes only files that its agent's definition names, follows no link and replaces nothing.",
	},
	{
		id: "agents/capsule-whole",
		sentence: "A restored session is there whole or not at all; an interrupted restore leaves nothing.",
	},
	{
		id: "agents/capsule-version",
		sentence: "A session is put back only for the version of the adapter that wrote it.",
	},
	{
		id: "agents/capsule-travels",
		sentence: "A real agent goes on with a session in another sandbox, and its model is told what was said before.",
	},
];

const acp: readonly Requirement[] = [
	{ id: "acp/original-bytes", sentence: "A message reaches the agent with the bytes the client sent, on one line." },
	{ id: "acp/check-order", sentence: "Media type, accept, JSON, agent and connection are checked in this order." },
	{ id: "acp/agent-mismatch", sentence: "A connection bound to one agent answers 409 to a message for another." },
	{
		id: "acp/held-get",
		sentence: "A stream opened before its connection exists waits for it instead of answering 404.",
	},
	{
		id: "acp/close-prompt",
		sentence: "Closing a connection ends the agent and answers 204 at once, also while it works.",
	},
	{ id: "acp/close-idempotent", sentence: "Closing an unknown connection answers 204; a closed id can be used again." },
	{
		id: "acp/close-unless-read",
		sentence: "A client that shares a connection with others can leave its end to the last of them.",
	},
	{
		id: "acp/close-process-group",
		sentence: "Closing a connection leaves no process of the agent, even one that ignores SIGTERM.",
	},
	{
		id: "acp/timeout-answers",
		sentence: "A request without a reader that passes its limit answers 504, and its late reply is streamed.",
	},
	{
		id: "acp/prompt-never-times-out",
		sentence: "A prompt of hours works: it stays open, or ends 202 where a reader is attached.",
	},
	{
		id: "acp/duplicate-id",
		sentence: "A second request with an id that is in flight is refused, and the first is unharmed.",
	},
	{
		id: "acp/exit-fails-waiting",
		sentence: "When the agent dies, every waiting request fails at once with agent_process_exited.",
	},
	{ id: "acp/exit-announced", sentence: "The death of an agent is announced on the stream with its exit code." },
	{ id: "acp/dead-connection", sentence: "A message to a connection whose agent is dead fails at once." },
	{ id: "acp/respawn", sentence: "A message that names the agent starts a new process where the last one died." },
	{
		id: "acp/exit-during-initialize",
		sentence: "An agent that exits during initialize fails that request with its exit code.",
	},
	{ id: "acp/garbage-output", sentence: "Output that is not JSON is reported on the stream and harms nothing else." },
	{ id: "acp/silent-agent", sentence: "An agent that never answers blocks neither closing nor the end of the server." },
	{
		id: "acp/accepted-means-envelope",
		sentence: "A 4xx or 5xx means not accepted; an accepted request ends in an envelope.",
	},
	{ id: "acp/one-terminal", sentence: "Every accepted request gets exactly one terminal envelope." },
	{
		id: "acp/respond-async",
		sentence: "With `Prefer: respond-async` the answer is 202 as soon as the message is recorded.",
	},
	{ id: "acp/queue-full", sentence: "More queued messages than the limit are refused with 429 queue_full." },
	{ id: "acp/install-progress", sentence: "While an agent is installed, the stream carries the progress." },
	{
		id: "acp/idempotency-replay",
		sentence: "A repeated idempotency key gives the first outcome and runs nothing twice.",
	},
	{ id: "acp/idempotency-mismatch", sentence: "An idempotency key with another body is refused with 422." },
	{
		id: "acp/idempotency-restart",
		sentence: "After a restart a key says outcome_unknown, or not_delivered where that is certain.",
	},
	{
		id: "acp/request-state",
		sentence: "What became of a message can be asked by its idempotency key, without sending it again.",
	},
	{
		id: "acp/permission-first-answer",
		sentence: "The first answer to an agent's request wins; later ones are not forwarded.",
	},
	{ id: "acp/leftovers", sentence: "A starting server ends agent processes left behind by one that was killed." },
];

const log: readonly Requirement[] = [
	{ id: "log/flood", sentence: "A burst of any size reaches every reader completely and in order." },
	{ id: "log/written-first", sentence: "What a reader has seen is on disk: killing the server loses none of it." },
	{ id: "log/resume", sentence: "A reader that returns with its cursor gets exactly what follows it." },
	{ id: "log/gap", sentence: "Evicted records are announced to the reader as a gap that names them." },
	{ id: "log/reset", sentence: "A cursor of another log is answered by a reset and the oldest record." },
	{ id: "log/slow-reader", sentence: "A stalled reader costs no memory and slows no other reader." },
	{ id: "log/torn-tail", sentence: "A log that was cut off in mid-record opens with everything before it." },
	{ id: "log/full-disk", sentence: "On a full disk the log goes on in memory, says so, and the agent is read on." },
	{ id: "log/heartbeat", sentence: "A silent stream carries a heartbeat every 15 seconds." },
	{ id: "log/client-records", sentence: "Client messages are on the stream only where a reader asks for them." },
];

const mock: readonly Requirement[] = [
	{ id: "mock/no-install", sentence: "The mock agent works on a fresh data directory without an installation." },
	{ id: "mock/conforms", sentence: "The mock agent speaks the agent protocol as a real agent does." },
	{
		id: "mock/documented-words",
		sentence: "The words the mock agent reacts to are those of its documentation and of `help`.",
	},
	{ id: "mock/same-both-ways", sentence: "The mock agent behaves the same in process and as a process of its own." },
];

const cli: readonly Requirement[] = [
	{ id: "cli/usage", sentence: "A usage error is exit 2 with a text on stderr; a failure at run time is exit 1." },
	{ id: "cli/listening-line", sentence: "The server prints its address with the real port, also for --port 0." },
	{ id: "cli/port-in-use", sentence: "A port in use is a clear error with exit 1." },
	{ id: "cli/mints-token", sentence: "Without token flags the server mints a token instead of being open." },
	{ id: "cli/empty-token", sentence: "An empty token is a usage error." },
	{ id: "cli/no-token-warning", sentence: "A server without a token on an open address warns loudly." },
	{ id: "cli/cors-usage", sentence: "A bad cross-origin option is a usage error, never a crash." },
	{ id: "cli/install-agent", sentence: "install-agent prints its result as JSON on stdout and progress on stderr." },
	{ id: "cli/api", sentence: "The api commands use the HTTP routes and print problems with exit 1." },
	{ id: "cli/telemetry-off", sentence: "Nothing is sent anywhere; --no-telemetry is accepted." },
];

const server: readonly Requirement[] = [
	{
		id: "server/graceful",
		sentence: "SIGINT and SIGTERM end the server within seconds, with agents and open streams.",
	},
	{ id: "server/nothing-left", sentence: "A server that has ended leaves no process behind." },
	{ id: "server/state-in-use", sentence: "A state directory that another server holds is refused with state_in_use." },
	{ id: "server/one-file", sentence: "The runtime is one file that runs on Node 20 without an installation." },
];

/** Beside those that the package lists itself. */
const processes: readonly Requirement[] = [
	{
		id: "process/run",
		sentence: "A run answers with exit code, signal and both streams, and reads nothing unless it is given something.",
	},
	{
		id: "process/run-background",
		sentence: "A run does not wait for what it leaves in the background, and that goes on.",
	},
	{
		id: "process/run-timeout",
		sentence:
			"A run whose time is up is ended with its whole process group, also when it ignores that, and answers what it said.",
	},
	{
		id: "process/run-output",
		sentence: "A run keeps the first bytes of each stream, says when there was more, and is not held up by it.",
	},
	{ id: "process/run-caller-gone", sentence: "A run whose caller goes away is ended." },
	{
		id: "process/run-live",
		sentence: "A run can tell its output as it comes, without losing any of it to a slow reader.",
	},
	{ id: "process/environment", sentence: "A process inherits the server's environment without the server's token." },
	{
		id: "process/spawn-failure",
		sentence:
			"A program that cannot be started answers 502 and says what is missing: program, interpreter, permission or cwd.",
	},
	{
		id: "process/huge-arguments",
		sentence: "Arguments that the system cannot take are an error answer, and the server goes on.",
	},
	{ id: "process/bad-request", sentence: "A request that means nothing answers 400 or 422 and starts nothing." },
	{
		id: "process/managed",
		sentence: "A process is described while it runs and after its end, with exit code or signal.",
	},
	{
		id: "process/order",
		sentence: "Processes are numbered by their start, failed ones included, and listed by number.",
	},
	{
		id: "process/delete",
		sentence: "A process is forgotten on demand when it has ended; its followers still get everything.",
	},
	{
		id: "process/limit",
		sentence: "No more processes run at a time than configured; those that have ended do not count.",
	},
	{
		id: "process/no-terminal",
		sentence: "A process on a terminal is refused by the code pty_unavailable where there are none.",
	},
	{
		id: "process/stop",
		sentence: "A stop ends a process with its children, those that ignore it or outlived the process included.",
	},
	{ id: "process/kill", sentence: "A stop does not kill what ignores it; a kill ends process and children." },
	{
		id: "process/escape",
		sentence: "Ending a process reaches what it has started in a session of its own, where the system tells.",
	},
	{
		id: "process/shutdown",
		sentence: "A server that stops ends every process, what ignores signals and what forked away included.",
	},
	{ id: "process/input", sentence: "Input is base64 unless it says otherwise, and stays open until its end is sent." },
	{ id: "process/input-closed", sentence: "Input to a process that has ended or whose input is closed answers 409." },
	{
		id: "process/input-unread",
		sentence: "A process that does not read its input costs bounded memory: more input answers 429.",
	},
	{
		id: "process/restart",
		sentence:
			"A process with a restart policy is started again, without its old children, until it succeeds, has used its tries or is stopped.",
	},
	{
		id: "process/config",
		sentence: "The limits of processes are told and set as a whole, and hold for the next process.",
	},
	{
		id: "process/ended-bounded",
		sentence: "Of processes that have ended the newest are remembered, within a number and a size of logs.",
	},
	{
		id: "process/logs",
		sentence:
			"The log of a process has its bytes as they were, in order, by sequence, and is asked for by stream, place and length.",
	},
	{
		id: "process/log-bounded",
		sentence: "The log of a process keeps the newest output within its limit, also of a gigabyte without a newline.",
	},
	{
		id: "process/follow-ends",
		sentence: "Following a process ends when it has ended and everything was sent, and tells how it ended.",
	},
	{
		id: "process/follow-resume",
		sentence: "Following goes on behind a sequence, and names the server's run that sequences belong to.",
	},
	{ id: "process/follow-gap", sentence: "A follower is told which sequences it missed." },
	{ id: "process/follow-keeps-up", sentence: "A follower that reads loses nothing, however fast the process writes." },
	{
		id: "process/follow-slow",
		sentence: "A follower that does not read costs no memory and does not hold the process up for long.",
	},
	{
		id: "process/client-run",
		sentence:
			"The client's run takes text or bytes as input, tells output as it comes, and ends the command when it is aborted.",
	},
	{
		id: "process/client-errors",
		sentence:
			"A command that cannot be started rejects with stream_error, and one that means nothing with invalid_request.",
	},
	{
		id: "process/client-managed",
		sentence: "The client starts, lists, writes to, ends and forgets processes, and sets their limits.",
	},
	{
		id: "process/client-follow",
		sentence:
			"A followed log ends with its process or by its caller; a listener that throws is reported and harms nothing.",
	},
	{
		id: "process/client-reconnects",
		sentence: "A followed log survives broken connections: nothing is missed and nothing is told twice.",
	},
	{ id: "process/client-gap", sentence: "Output that the server did not keep for a follower is told as a gap." },
	{
		id: "process/client-restart",
		sentence:
			"A followed log of a server that was restarted ends with not_found, and is never that of another process.",
	},
	{
		id: "process/published-client",
		sentence: "The process calls of the published 0.4.2 client work, and its followed logs end with the process.",
	},
	{ id: "process/leftovers", sentence: "A starting server ends the processes left behind by one that was killed." },
];

const sdk: readonly Requirement[] = [
	{
		id: "sdk/takeover-killed",
		sentence:
			"Another backend goes on with the turn and the conversation of one that was killed, with the store alone.",
	},
	{
		id: "sdk/takeover-stopped",
		sentence:
			"A backend that lost its sessions while it was stopped writes and sends nothing to them when it comes back.",
	},
	{
		id: "sdk/shared-agent",
		sentence: "Clients whose sessions share an agent answer for their own only, and the last of them ends it.",
	},
	{ id: "sdk/detach", sentence: "A client that is detached leaves its turns under way for the next one to finish." },
	{ id: "sdk/long-prompt", sentence: "A prompt may take longer than any limit of the platform's fetch." },
	{ id: "sdk/bun", sentence: "The client and local() work under Bun." },
	{ id: "sdk/old-start", sentence: "start() without a provider and start({ spawn }) mean a local sandbox." },
	{ id: "sdk/status-events", sentence: "What recovery does is visible as status events." },
	{ id: "sdk/error-message", sentence: "An error's message has the title and the detail of its problem document." },
	{
		id: "sdk/indexeddb-tabs",
		sentence: "Tabs of one site share a store in IndexedDB: places stay apart, one drives a session, all are told.",
	},
	{
		id: "sdk/indexeddb-durable",
		sentence: "Sessions in IndexedDB are there after a reload of the page and a restart of the browser.",
	},
	{
		id: "sdk/indexeddb-upgrade",
		sentence: "Databases of earlier versions are taken over whole, and a tab in the way is an error that says so.",
	},
	{
		id: "sdk/indexeddb-quota",
		sentence: "A write to IndexedDB without room fails as a whole, and the store goes on when there is room again.",
	},
];

const fs: readonly Requirement[] = [
	{ id: "fs/read", sentence: "A file comes with every byte, its length and its etag; a file of the kernel does too." },
	{ id: "fs/range", sentence: "A range of a file is answered with just those bytes, or with 416 where it has none." },
	{ id: "fs/etag", sentence: "Reading and writing can be bound to one content of a file, or to there being none." },
	{ id: "fs/not-a-file", sentence: "A directory, pipe or device is refused at once where a file is meant." },
	{ id: "fs/shrinks", sentence: "A file that gets shorter while it is read ends the connection, not the answer." },
	{ id: "fs/write", sentence: "A written file has every byte; mode, owner and links of what it replaces stay." },
	{ id: "fs/atomic", sentence: "Readers of a file that is written see the old content or the new one, whole." },
	{ id: "fs/client-gone", sentence: "A client that goes away in the middle leaves nothing: no file, none open." },
	{ id: "fs/list", sentence: "A listing has every entry, hidden ones and links as what they are, at any number." },
	{ id: "fs/problems", sentence: "Missing is 404, denied 403, in the way 409: each with the absolute path." },
	{ id: "fs/odd-names", sentence: "Names with line breaks, emoji and percent signs work; those not UTF-8 are listed." },
	{ id: "fs/stat", sentence: "stat follows links and tells a link to nowhere as missing." },
	{ id: "fs/delete", sentence: "A directory goes with what it holds only when asked to; the root never goes." },
	{ id: "fs/delete-link", sentence: "Deleting a link removes the link alone, wherever it leads." },
	{ id: "fs/mkdir", sentence: "Making a directory makes those above it, and is fine with one that exists." },
	{ id: "fs/move", sentence: "Files, directories and links are moved, and replace others only when asked to." },
	{ id: "fs/move-checks", sentence: "A move that is refused has destroyed and made nothing." },
	{ id: "fs/move-across", sentence: "A move to another file system keeps content, modes, times and links." },
	{ id: "fs/paths", sentence: "Relative paths begin at the working directory, `~/` at home; answers are absolute." },
	{ id: "fs/bad-paths", sentence: "A path that no file can have is refused with a reason, never taken for another." },
	{ id: "fs/batch", sentence: "An uploaded archive, gzipped or not, is unpacked with modes, times and links." },
	{
		id: "fs/batch-hostile",
		sentence: "No archive writes outside of its target or through a link; a hostile one writes nothing at all.",
	},
	{
		id: "fs/batch-broken",
		sentence: "An archive that is cut off or damaged is refused, and nothing of it is written.",
	},
	{ id: "fs/batch-bomb", sentence: "An archive that unpacks to more than the limits is refused and leaves nothing." },
	{ id: "fs/archive", sentence: "A directory comes as an archive that gives the same directory again." },
	{
		id: "fs/published-client",
		sentence: "The file calls of the published 0.4.2 client work, larger uploads included.",
	},
	{ id: "fs/huge", sentence: "Files of gigabytes go up and down with a server under 150 MB." },
	{
		id: "fs/full-disk",
		sentence: "A full disk in the middle of an upload is disk_full, and nothing half-written stays.",
	},
	{
		id: "fs/denied",
		sentence: "What the server's user may not do is 403, on a read-only disk too, and changes nothing.",
	},
	{
		id: "fs/fuzz",
		sentence: "No path, range or archive, however odd, crashes the server or reaches out of its place.",
	},
	{ id: "fs/root", sentence: "With --fs-root nothing outside of it is reached, also not through links." },
];

const session: readonly Requirement[] = [
	{ id: "session/unknown", sentence: "A prompt to an unknown session is refused by its id." },
	{ id: "session/await-using", sentence: "A client is disposed at the end of its `await using` block." },
	{
		id: "session/real-agents",
		sentence:
			"Sessions of real agents go on live, resumed, loaded or replayed, with their choices, and every update once.",
	},
	{
		id: "session/capsule-moves",
		sentence: "A conversation goes on in another sandbox by its capsule; without one it is replayed, or refused.",
	},
];

const permission: readonly Requirement[] = [
	{ id: "permission/by-kind", sentence: "A reply selects its option by kind, never by id." },
	{ id: "permission/no-listener", sentence: "A request that nobody listens to is cancelled, never granted." },
	{ id: "permission/answered-once", sentence: "A request is answered once; another answer is refused by its id." },
];

const start: readonly Requirement[] = [
	{
		id: "start/undo",
		sentence: "A start that fails after the sandbox was made destroys it and reports the first error.",
	},
	{
		id: "start/abort",
		sentence: "A start that is aborted in any phase leaves nothing behind and rejects with the reason.",
	},
	{
		id: "start/dead-server",
		sentence: "A server that dies while starting fails the start at once with the end of its log.",
	},
	{ id: "start/progress", sentence: "The phases of a start are reported while they happen." },
	{ id: "start/existing-untouched", sentence: "A failed start on an existing sandbox does not destroy it." },
];

const local: readonly Requirement[] = [
	{ id: "local/reuse", sentence: "A local sandbox is reused by its id from another process without giving the token." },
	{
		id: "local/dies-with-owner",
		sentence: "A local server ends when its owner is killed, unless it was asked to be detached.",
	},
	{ id: "local/ensure-server", sentence: "A local server that died is started again, under the same id." },
	{ id: "local/loopback", sentence: "A local server listens on loopback only." },
];

const docker: readonly Requirement[] = [
	{ id: "docker/no-daemon", sentence: "A missing daemon is an error that names the address that was tried." },
	{ id: "docker/no-permission", sentence: "A socket without permission is an error that says so." },
	{ id: "docker/no-image", sentence: "An image that cannot be found is image_not_found with its name." },
	{ id: "docker/no-node", sentence: "An image without Node is an error that says what is missing." },
	{ id: "docker/loopback-port", sentence: "The published port is bound to loopback." },
	{
		id: "docker/deep-merge",
		sentence: "createContainerOptions are merged deeply: the port mapping and the labels stay.",
	},
	{ id: "docker/honours-host", sentence: "DOCKER_HOST decides which daemon is used." },
	{ id: "docker/pause-resume", sentence: "A paused or stopped container comes back with its server." },
	{ id: "docker/ensure-server", sentence: "A server that died in its container is started again." },
	{ id: "docker/nothing-left", sentence: "destroy() removes the container, also twice." },
];

const chaos: readonly Requirement[] = [
	{
		id: "chaos/turns",
		sentence:
			"Whatever is killed, every accepted prompt has one turn, one prompt event and one reply, and one end is told.",
	},
	{
		id: "chaos/updates",
		sentence: "Whatever is killed, every update is stored once and in order, and observers are told each once.",
	},
	{
		id: "chaos/sent-once",
		sentence: "Whatever is killed, no prompt reaches an agent twice, and what is called undelivered reached none.",
	},
	{
		id: "chaos/leaks",
		sentence: "After many kills and takeovers no process, server or lease is left behind.",
	},
];

/** Everything the tests must cite. */
export const REQUIREMENTS: readonly Requirement[] = [
	...wire,
	...guard,
	...cors,
	...agents,
	...acp,
	...fs,
	...log,
	...mock,
	...cli,
	...server,
	...sdk,
	...session,
	...permission,
	...start,
	...local,
	...docker,
	...processes,
	...chaos,
	...SDK_REQUIREMENTS,
];
