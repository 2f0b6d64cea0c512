export {
	type CursorScope,
	decodeCursor,
	encodeCursor,
	type KeysetPosition,
	type ListPosition,
	pageLimit,
} from "./cursor.ts";
export type { ListEventsRequest, ListPage, ListPageRequest, SessionPersistDriver } from "./persist-driver.ts";
export type {
	SessionConfigChoice,
	SessionConfigChoiceGroup,
	SessionConfigOption,
	SessionEvent,
	SessionEventPayload,
	SessionEventSender,
	SessionInit,
	SessionModeState,
	SessionRecord,
} from "./record.ts";
