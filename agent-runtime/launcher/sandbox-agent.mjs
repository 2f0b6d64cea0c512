#!/usr/bin/env node
// The command itself lives in the runtime's one file; this package only gives it its well-known name.
import { artifact } from "@sandbox-agent/agent-runtime/artifact";

await import(artifact.url.href);
