/** What a vendor can do. Asked before an optional operation is used; what is missing is an error that names it. */
export interface ProviderCapabilities {
	/**
	 * What survives a pause. `memory`: processes go on where they were; `files`: the server has to be started again;
	 * `none`: there is no pause, and asking for one is `capability_unsupported`.
	 */
	readonly pause: "memory" | "files" | "none";
	/**
	 * How a repeated `create` with one key is kept from making two sandboxes: the vendor refuses a second sandbox of the
	 * same name, the plugin looks it up by its labels, or not at all.
	 */
	readonly idempotentCreate: "name" | "list" | "none";
	/** Whether ports other than the server's can be reached: any, those asked for at create, or none. */
	readonly extraPorts: "any" | "at-create" | "none";
}
