export { type LocalProviderOptions, local } from "@sandbox-agent/providers/local";
