export { type DockerProviderOptions, docker } from "@sandbox-agent/providers/docker";
