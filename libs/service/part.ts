/**
 * A long-lived piece of a service, such as a server, a consumer or a relay. `start` resolves when the piece does its
 * work; `stop` finishes what is under way and gives up when `signal` aborts. Both are called at most once.
 */
export interface Part {
  /** As logs and errors name it: "rpc server", "outbox relay". */
  readonly name: string;
  start(): Promise<void>;
  stop(signal: AbortSignal): Promise<void>;
}
