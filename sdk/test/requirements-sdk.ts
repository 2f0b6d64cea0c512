/** What the SDK promises, each with an id that tests cite as `[id]`. */
export const SDK_REQUIREMENTS = [
	{
		id: "sdk-post-failure-is-local",
		sentence: "A message that the server refuses fails the call it belongs to, and nothing else.",
	},
	{
		id: "sdk-requests-settle",
		sentence: "Every call settles, also when its server, its connection or its agent is gone for good.",
	},
	{
		id: "sdk-failed-creation-forgotten",
		sentence:
			"A connection that could not be made, or has ended, is forgotten: it blocks neither later calls nor dispose().",
	},
	{
		id: "sdk-silent-exchange",
		sentence: "A turn may take longer than any idle limit of fetch or of a proxy, also with servers that answer late.",
	},
	{
		id: "sdk-server-killed",
		sentence:
			"A live client whose server is killed reaches it again, has its provider start it, and goes on: an interrupted " +
			"prompt gets one terminal outcome and the history has every update once and in order.",
	},
	{
		id: "sdk-agent-death-settles",
		sentence: "The death of an agent fails the turns it was in at once, and the next prompt starts it anew.",
	},
	{
		id: "sdk-stream-reconnects",
		sentence: "A broken event stream is resumed where it broke, by itself, without losing or doubling anything.",
	},
	{
		id: "sdk-reply-after-updates",
		sentence: "When a prompt resolves, every update of its turn has been stored and told.",
	},
	{
		id: "sdk-reply-without-stream",
		sentence: "A reply that only the answer to its POST brings is delivered when the stream has fallen quiet.",
	},
	{
		id: "sdk-abort-and-timeout",
		sentence: "Everything that waits takes an AbortSignal and a time limit; an abort's own reason passes through.",
	},
	{ id: "sdk-cancel-turn", sentence: "A running turn can be cancelled without destroying its session." },
	{
		id: "sdk-safe-retry",
		sentence: "A call is repeated after a lost connection only if repeating it cannot do something twice.",
	},
	{
		id: "sdk-keyed-retry",
		sentence: "A message whose answer was lost is sent again under the same idempotency key and takes effect once.",
	},
	{
		id: "sdk-health-gate",
		sentence:
			"The wait for a server's first answer is bounded, fails fast on a wrong token, is not held up by one request, and " +
			"can be tried again.",
	},
	{
		id: "sdk-start-means-healthy",
		sentence: "start() resolves when the server answers; a start that fails leaves no new sandbox behind.",
	},
	{
		id: "sdk-id-collision",
		sentence: "A request of the agent is never taken for the reply to a request of the client that has the same id.",
	},
	{ id: "sdk-permission-recorded", sentence: "The answer to a permission request is part of the session's history." },
	{ id: "sdk-permission-list", sentence: "Permission requests that wait for an answer can be listed." },
	{
		id: "sdk-listener-isolation",
		sentence: "A listener that throws or rejects harms no other listener and no turn, and is reported.",
	},
	{
		id: "sdk-destroy-is-hard",
		sentence:
			"A destroyed session takes no prompts until it is resumed; destroying ends its turn at the agent and starts no agent.",
	},
	{ id: "sdk-delete-session", sentence: "A session can be deleted with its history." },
	{
		id: "sdk-dispose-is-final",
		sentence: "dispose() settles what waits, writes what was received, ends the agents, and makes later calls fail.",
	},
	{ id: "sdk-pause-quiet", sentence: "A paused sandbox is sent nothing by the client that paused it." },
	{
		id: "sdk-pause-unsupported",
		sentence: "Pausing a sandbox of a provider that cannot pause is an error and touches nothing.",
	},
	{ id: "sdk-no-id-overwrite", sentence: "A session is not made under the id of another one." },
	{
		id: "sdk-notification-turn-end",
		sentence: "The history tells how a prompt ended that was sent without waiting for it.",
	},
	{ id: "sdk-list-filter", sentence: "Sessions can be listed by agent and by whether they are alive." },
	{ id: "sdk-no-hidden-fallback", sentence: "Asking for an agent that does not exist is one request and one error." },
	{ id: "sdk-stream-updates", sentence: "A turn can be read as an async iteration; leaving it cancels the turn." },
	{
		id: "sdk-stream-bounded",
		sentence:
			"A turn that is read slowly, or not at all, costs a bounded amount of memory and loses nothing that its server retains.",
	},
	{
		id: "sdk-state-bounded",
		sentence: "A client that lives for long keeps nothing of prompts and sessions that are over and not listened to.",
	},
	{ id: "sdk-one-restore", sentence: "Calls made at the same time on a stale session restore it once." },
	{ id: "sdk-restore-choices", sentence: "A restored session has the model, mode and options it had before." },
	{
		id: "sdk-replay-newest",
		sentence: "A replay keeps the newest messages, without protocol noise and without earlier replays.",
	},
	{ id: "sdk-exactly-once", sentence: "Storing the same event again changes nothing." },
	{
		id: "sdk-gap-told",
		sentence: "Lines of a log that can no longer be read are told as a gap, never skipped silently.",
	},
	{ id: "sdk-log-replaced", sentence: "A log that was replaced by another one is not read on as if it were the same." },
	{ id: "sdk-half-open", sentence: "A connection that died silently is noticed and replaced." },
	{
		id: "sdk-sandbox-gone",
		sentence: "A sandbox that is definitely gone is an error of its own class, at once and for good.",
	},
	{ id: "sdk-pass-through", sentence: "Update kinds and notifications nobody knows reach the history unchanged." },
	{
		id: "sdk-runs-anywhere",
		sentence:
			"The root entry bundles without Node built-ins and runs a prompt in browsers and workers through a fetch.",
	},
	{
		id: "sdk-policy-agents",
		sentence:
			"A permission policy reads the questions of Claude, Codex, OpenCode and Gemini as each of them tells them.",
	},
	{
		id: "sdk-policy-order",
		sentence: "In a policy deny beats ask, ask beats allow, and what no rule is about gets the default.",
	},
	{
		id: "sdk-policy-strict",
		sentence: "What a rule allows the same rule would deny: denying reads a tool call at least as widely as allowing.",
	},
	{
		id: "sdk-policy-command",
		sentence: "A pattern that allows a command does not allow a second one, a redirection or a substitution beside it.",
	},
	{
		id: "sdk-policy-deny-parts",
		sentence: "A denied command is found among joined ones, in quotes, behind a wrapper and by its full path.",
	},
	{
		id: "sdk-policy-paths",
		sentence:
			"A path rule allows a call only when all its paths are known and lie where the rule says, dots and traversals resolved.",
	},
	{
		id: "sdk-policy-vague",
		sentence:
			"A tool call that tells too little, or cannot be read, is never allowed past a rule that may be about it.",
	},
	{ id: "sdk-policy-once", sentence: "A policy says yes for this once only, and no in whatever way the agent offers." },
	{ id: "sdk-policy-total", sentence: "A policy decides whatever an agent sends, and never fails." },
	{ id: "sdk-policy-bounded", sentence: "Matching a pattern takes a bounded number of steps for any text." },
	{
		id: "sdk-policy-options",
		sentence: "A wrong option of a policy is refused with its name, its value and what to write instead.",
	},
	{
		id: "sdk-permission-audit",
		sentence: "The record of an answered question says who decided what, by which rule and when.",
	},
	{ id: "sdk-persist-conformance", sentence: "Every store of this project passes the published conformance suite." },
	{
		id: "sdk-persist-kill",
		sentence:
			"A process that is killed in the midst of writing loses nothing that was acknowledged, and leaves a store that opens.",
	},
	{
		id: "sdk-persist-migration",
		sentence: "A database of an earlier version is taken over with all its sessions and events.",
	},
	{ id: "sdk-persist-growth", sentence: "What is read of a history is found by an index, however long it is." },
	{ id: "sdk-persist-unreadable", sentence: "An event that cannot be read hides nothing of the rest of its history." },
	{
		id: "sdk-persist-retention",
		sentence: "A store removes nothing by itself unless it was told to, and then no more.",
	},
	{ id: "sdk-persist-adapt", sentence: "A store that was written for an earlier version works as it is." },
	{
		id: "sdk-rivet-state",
		sentence: "Sessions of a Rivet actor lie in its state as plain JSON, in the shape that earlier versions wrote.",
	},
	{
		id: "sdk-rivet-saved",
		sentence: "A write to a Rivet actor resolves when its state is saved, and leaves nothing when that fails.",
	},
	{
		id: "sdk-capsule-deltas",
		sentence: "A capture stores what an agent has added since the last one, and nothing when it has added nothing.",
	},
	{
		id: "sdk-capsule-whole",
		sentence: "A capsule is stored and put back whole or not at all; one that lacks something is refused.",
	},
	{
		id: "sdk-capsule-mismatch",
		sentence: "A capsule is put back only for the agent, session, working directory and version it is of.",
	},
	{
		id: "sdk-capsule-encrypted",
		sentence: "With a key, what a store holds of an agent's files can be neither read nor changed unnoticed.",
	},
	{
		id: "sdk-postgres-migration",
		sentence: "The tables in PostgreSQL are made once, with what earlier versions stored, whoever comes first.",
	},
	{
		id: "sdk-postgres-newer",
		sentence: "A store in PostgreSQL that a newer version has made is refused and unharmed.",
	},
	{
		id: "sdk-postgres-retention",
		sentence: "A retention removes the oldest events and what was destroyed long ago, and nothing that is in use.",
	},
	{
		id: "sdk-postgres-long-history",
		sentence: "Writing to PostgreSQL looks up by index alone, however long a history has become.",
	},
	{
		id: "sdk-postgres-restart",
		sentence: "A PostgreSQL server that crashes while events are appended loses none and doubles none.",
	},
	{
		id: "sdk-postgres-terminated",
		sentence: "Connections to PostgreSQL that are ended by others lose no event and double none.",
	},
	{
		id: "sdk-postgres-lost-answer",
		sentence: "A write whose answer is lost is stored once, and its result tells what it has added.",
	},
	{
		id: "sdk-postgres-read-only",
		sentence: "A read-only PostgreSQL server can be read; a write to it fails with the reason.",
	},
	{
		id: "sdk-postgres-two-writers",
		sentence: "Clients that append to one session at the same time get all places, each once, in their own order.",
	},
	{ id: "sdk-postgres-fenced", sentence: "A writer that was fenced out writes nothing behind its successor." },
	{ id: "sdk-postgres-clock", sentence: "The clocks of clients have no effect on leases." },
	{
		id: "sdk-postgres-pool",
		sentence: "A pool that was given is never ended; one that is used up is an error that names the store.",
	},
	{
		id: "sdk-postgres-watch-again",
		sentence: "A watcher whose connection was lost comes back by itself and is told what it may have missed.",
	},
	{
		id: "sdk-postgres-untold",
		sentence: "What a writer to PostgreSQL committed and could not tell, because it died, watchers find by themselves.",
	},
	{
		id: "sdk-postgres-deaf",
		sentence: "Watching a PostgreSQL server through what carries no notifications is an error, not silence.",
	},
	{ id: "sdk-postgres-secrets", sentence: "No message of the store tells a password or the address it is part of." },
	{
		id: "sdk-turn-recorded",
		sentence:
			"Every prompt is a turn with a key, recorded before it is sent, and ends in exactly one recorded outcome.",
	},
	{
		id: "sdk-turn-once",
		sentence: "A prompt with a key the session knows is not sent again; it gets the first outcome.",
	},
	{ id: "sdk-record-first", sentence: "A message to an agent that cannot be recorded is not sent." },
	{
		id: "sdk-prompt-overlap",
		sentence: "A prompt beside a running one is queued, refused or taken into it, as is wished and as the agent can.",
	},
	{
		id: "sdk-idle-timeout",
		sentence: "A turn can be limited by the agent's silence; waiting for an answer of ours is none.",
	},
	{
		id: "sdk-store-outage",
		sentence:
			"A store that fails for a while costs nothing; one that stays broken is reported, and events are still told.",
	},
	{
		id: "sdk-fenced-out",
		sentence: "A client whose session was taken over writes nothing more to it, sends nothing more, and says why.",
	},
	{
		id: "sdk-lease-held",
		sentence: "A session that a living client drives is refused to others, by that client's name.",
	},
	{ id: "sdk-lease-lapsed", sentence: "The session of a client that is gone can be taken when its lease has lapsed." },
	{ id: "sdk-lease-released", sentence: "A client that is disposed gives its sessions back at once." },
	{
		id: "sdk-observe",
		sentence: "A session that another client drives can be observed event by event as it is stored.",
	},
	{
		id: "sdk-takeover",
		sentence:
			"A turn that is under way is taken over with its live agent: its updates and its end come once and in order.",
	},
	{ id: "sdk-resume-live", sentence: "A session whose agent still runs goes on in it, whichever client comes." },
	{
		id: "sdk-resume-ladder",
		sentence: "A session is restored on the best way its agent has, and a receipt tells which, and what is missing.",
	},
	{
		id: "sdk-resume-refused",
		sentence: "A session that cannot be restored on an allowed way is refused and unchanged.",
	},
	{
		id: "sdk-load-silent",
		sentence: "What an agent tells of the past while it loads is neither stored nor told again.",
	},
	{
		id: "sdk-log-drained",
		sentence: "What an agent said before its process or server died is stored before the session goes on elsewhere.",
	},
	{ id: "sdk-reconcile", sentence: "An unknown turn can be decided from what the server and the workspace tell." },
	{
		id: "sdk-permission-reoffered",
		sentence: "A question that is open when a client dies is asked again by the next one.",
	},
	{ id: "sdk-permission-timeout", sentence: "A question may time out if that is asked for, and that means no." },
	{ id: "sdk-policy-wired", sentence: "What rules decide is answered without asking, and stands in the history." },
	{
		id: "sdk-permission-wrong-reply",
		sentence: "A reply that an agent does not offer is refused to its caller, and the question stays open.",
	},
	{ id: "sdk-record-updates", sentence: "Changes of a session's record that are made at the same time are all kept." },
	{
		id: "sdk-resume-verified",
		sentence: "An agent that hangs, refuses, or has lost or mistaken a session, is given up and the next way is taken.",
	},
	{ id: "sdk-resume-sandbox", sentence: "A session that goes on in another sandbox is stored as one of that sandbox." },
	{ id: "sdk-gateway-outage", sentence: "A turn outlives a proxy that answers in the server's place for a while." },
	{ id: "sdk-address-changed", sentence: "A turn goes on when the address of its server has changed." },
	{
		id: "sdk-made-once",
		sentence: "A session that two clients make at the same time is made once, and the other client gets that one.",
	},
	{ id: "sdk-files", sentence: "Files can be written, read, listed, looked at, moved and deleted." },
	{ id: "sdk-files-streams", sentence: "Files of any size stream both ways; the error of a caller's stream is told." },
	{ id: "sdk-files-etag", sentence: "Reading and writing a file can be bound to one content of it." },
	{ id: "sdk-files-archives", sentence: "Directories come and go as archives." },
	{ id: "sdk-files-limits", sentence: "A transfer ends with the caller's signal and time limit, and leaves nothing." },
	{
		id: "sdk-files-resume",
		sentence: "A stream of a file goes on where it was when its connection breaks, and never mixes two contents.",
	},
	{ id: "sdk-files-repeat", sentence: "File calls that may be repeated are, when their connection breaks." },
] as const satisfies readonly { id: string; sentence: string }[];
