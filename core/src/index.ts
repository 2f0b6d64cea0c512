// Each line is public API: what stands here must be kept.
export * from "./api/index.ts";
export * from "./errors/index.ts";
