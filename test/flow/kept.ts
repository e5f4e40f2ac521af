import { setTimeout as delay } from "node:timers/promises";
import { type ServiceProcess, waitFor } from "@trainyard/testing";

/** Eight processes start at once and share the machine with whatever else it does. */
const READY_TIMEOUT_MS = 180_000;

/** A process that is started again whenever it ends, as a service manager would. */
export class Kept {
  readonly name: string;
  readonly #spawn: () => Promise<ServiceProcess>;
  readonly #downMs: number;
  #nextDownMs: number | undefined;
  #current: ServiceProcess | undefined;
  #stopping = false;
  #loop: Promise<void> | undefined;
  #printed = "";
  starts = 0;
  deaths = 0;

  /** `downMs` is how long it stays down after a death. */
  constructor(name: string, spawn: () => Promise<ServiceProcess>, downMs: number) {
    this.name = name;
    this.#spawn = spawn;
    this.#downMs = downMs;
  }

  async start(): Promise<void> {
    await this.#once();
    this.#loop = this.#keep();
  }

  get output(): string {
    return this.#printed + (this.#current?.output() ?? "");
  }

  async #once(): Promise<void> {
    this.starts++;
    this.#current = await this.#spawn();
  }

  async #keep(): Promise<void> {
    while (!this.#stopping) {
      if (this.#current !== undefined) {
        await this.#current.exited;
        if (this.#stopping) return;
        this.deaths++;
        this.#printed += `${this.#current.output()}\n--- restarted ---\n`;
        this.#current = undefined;
      }
      await delay(this.#nextDownMs ?? this.#downMs);
      this.#nextDownMs = undefined;
      // A start may fail while what it needs is down as well; it is tried again.
      await this.#once().catch((error: unknown) => {
        this.#printed += `${String(error)}\n`;
      });
    }
    // It was on its way up when it was told to stop.
    await this.#current?.kill("SIGTERM");
  }

  /** Ends it with SIGKILL, once it is up if it is down just now; it is started again after `downMs`. */
  async kill(downMs = this.#downMs): Promise<void> {
    const current = await waitFor(`${this.name} to be up`, () => this.#current, {
      timeoutMs: READY_TIMEOUT_MS,
    });
    const before = this.deaths;
    this.#nextDownMs = downMs;
    await current.kill("SIGKILL");
    await waitFor(`${this.name}'s death to be seen`, () => this.deaths > before);
  }

  /** Waits until it is up. */
  async up(): Promise<void> {
    await waitFor(`${this.name} to be up`, () => this.#current, { timeoutMs: READY_TIMEOUT_MS });
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#current?.kill("SIGTERM");
    await this.#loop;
  }
}
