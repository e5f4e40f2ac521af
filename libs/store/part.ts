/** A long-lived piece of a service: started once, stopped once. `stop` finishes what is under way until `signal` aborts. */
export interface StorePart {
  readonly name: string;
  start(): Promise<void>;
  stop(signal: AbortSignal): Promise<void>;
}
