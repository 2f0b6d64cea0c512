export { AcpRpcError, INTERNAL_ERROR, METHOD_NOT_FOUND } from "./acp-rpc-error.ts";
export { SandboxDestroyedError } from "./sandbox-destroyed-error.ts";
export {
	UnsupportedPermissionReplyError,
	UnsupportedSessionCategoryError,
	UnsupportedSessionConfigOptionError,
	UnsupportedSessionValueError,
} from "./unsupported-errors.ts";
