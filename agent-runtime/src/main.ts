#!/usr/bin/env node
import { fileURLToPath } from "node:url";
import { createProcessContext } from "./cli/process-context.ts";
import { runCli } from "./cli/run-cli.ts";
import { forgetCompileCache, forgetToken, readEnvironment } from "./options.ts";

forgetCompileCache(process.env);
const environment = readEnvironment(process.env);
// Whatever this process starts inherits its environment: from here on the token is not in it.
forgetToken(process.env);
const context = createProcessContext(environment, fileURLToPath(import.meta.url));
process.exitCode = await runCli(process.argv.slice(2), context);
