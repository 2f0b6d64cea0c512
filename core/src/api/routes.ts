import { closeAcp, getAcpState, listAcpServers, postAcp, streamAcp } from "./acp.ts";
import { getAgent, installAgent, listAgents } from "./agents.ts";
import {
	abortCapsuleRestore,
	beginCapsuleRestore,
	commitCapsuleRestore,
	putCapsuleChunk,
	readCapsuleChanges,
} from "./capsules.ts";
import {
	deleteFsEntry,
	downloadFsArchive,
	listFsEntries,
	mkdirFs,
	moveFs,
	readFsFile,
	statFs,
	uploadFsBatch,
	writeFsFile,
} from "./files.ts";
import { getHealth, getRoot } from "./health.ts";
import {
	createProcess,
	deleteProcess,
	getProcess,
	getProcessConfig,
	getProcessLogs,
	killProcess,
	listProcesses,
	runProcess,
	sendProcessInput,
	setProcessConfig,
	stopProcess,
} from "./processes.ts";

/** The whole HTTP contract. The server mounts it, the client calls through it, the OpenAPI document lists it. */
export const ROUTES = {
	getRoot,
	getHealth,
	listAgents,
	getAgent,
	installAgent,
	readCapsuleChanges,
	beginCapsuleRestore,
	putCapsuleChunk,
	commitCapsuleRestore,
	abortCapsuleRestore,
	listAcpServers,
	postAcp,
	streamAcp,
	closeAcp,
	getAcpState,
	listFsEntries,
	readFsFile,
	writeFsFile,
	deleteFsEntry,
	mkdirFs,
	moveFs,
	statFs,
	uploadFsBatch,
	downloadFsArchive,
	getProcessConfig,
	setProcessConfig,
	runProcess,
	createProcess,
	listProcesses,
	getProcess,
	deleteProcess,
	stopProcess,
	killProcess,
	sendProcessInput,
	getProcessLogs,
} as const;

export type Routes = typeof ROUTES;
export type RouteName = keyof Routes;
