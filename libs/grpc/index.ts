/** What every gRPC client and server of the platform has in common, and nothing that a command would be slower to start by. */
export { MAX_MESSAGE_BYTES } from "./max-message-bytes.ts";
export { type Pings, wideSessions } from "./wide-sessions.ts";
