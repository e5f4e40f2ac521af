/** What has to be stopped, in the reverse order of its start. */
export class StopList {
  readonly #stops: { readonly name: string; readonly stop: () => Promise<unknown> }[] = [];

  add(name: string, stop: () => Promise<unknown>): void {
    this.#stops.push({ name, stop });
  }

  /** Stops all, the last first; one that fails does not keep the others from it. Says what failed. */
  async run(): Promise<readonly string[]> {
    const problems: string[] = [];
    for (let next = this.#stops.pop(); next !== undefined; next = this.#stops.pop()) {
      try {
        await next.stop();
      } catch (error) {
        problems.push(`${next.name}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    return problems;
  }
}
