import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { waitFor } from "@trainyard/testing";

export type Gang = "bare" | "own";

/** Two gangs that are alive together and train in turns. */
export interface Turns {
  /** Lets a gang do its steps; the seconds that they took. */
  give(gang: Gang, number: number): Promise<number>;
  /** Lets both gangs end. */
  end(): void;
  /** What tells a gang of it. */
  environment(gang: Gang): Readonly<Record<string, string>>;
}

/** By files in a folder, as `peers/overhead_steps.py` says. */
export function takeTurns(dir: string): Turns {
  mkdirSync(dir);
  const write = (text: string) => {
    writeFileSync(join(dir, "turn.tmp"), text);
    renameSync(join(dir, "turn.tmp"), join(dir, "turn"));
  };
  write("nobody 0");
  return {
    give(gang, number) {
      write(`${gang} ${number}`);
      const read = () => {
        try {
          return Number(readFileSync(join(dir, `${gang}-${number}`), "utf8"));
        } catch {
          return undefined;
        }
      };
      return waitFor(`turn ${number} of ${gang}`, async () => read(), { timeoutMs: 120_000, intervalMs: 10 });
    },
    end: () => write("over 0"),
    environment: (gang) => ({ TURNS: dir, GANG: gang }),
  };
}
