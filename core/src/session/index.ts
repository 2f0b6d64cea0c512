export type { CapsuleChunk, CapsuleFile, CapsuleManifest, CapsuleStore, CapsuleWrite } from "./capsule.ts";
export {
	type CursorScope,
	decodeCursor,
	encodeCursor,
	type KeysetPosition,
	type ListPosition,
	pageLimit,
} from "./cursor.ts";
export type { LeaseAttempt, SessionLease, SessionLeases } from "./lease.ts";
export {
	type DurableSessionDriver,
	isDurable,
	type ListEventsRequest,
	type ListPage,
	type ListPageRequest,
	type ListSessionsRequest,
	type ListTurnsRequest,
	type SessionPersistDriver,
	type SessionWrite,
	type SessionWritten,
	type StoreChange,
} from "./persist-driver.ts";
export {
	type LogPosition,
	type NewSessionEvent,
	SESSION_RECORD_VERSION,
	type SessionConfigChoice,
	type SessionConfigChoiceGroup,
	type SessionConfigOption,
	type SessionEvent,
	type SessionEventPayload,
	type SessionEventSender,
	type SessionInit,
	type SessionModeState,
	type SessionRecord,
} from "./record.ts";
export { ENDED_TURN_STATES, OPEN_TURN_STATES, type TurnRecord, type TurnState } from "./turn.ts";
