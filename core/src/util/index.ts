export { type BackoffOptions, backoffDelay } from "./backoff.ts";
export { type Clock, systemClock, unref } from "./clock.ts";
export { abortable, type Deadline, deadline } from "./deadline.ts";
export { importPeer } from "./import-peer.ts";
export { redact, redactTarget } from "./redact.ts";
export { shellQuote } from "./shell-quote.ts";
export { singleFlight } from "./single-flight.ts";
