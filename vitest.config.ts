import { defineConfig } from "vitest/config";
import { LongFirst } from "./libs/testing/long-first.ts";

/** Where tests live: beside what they test, or under test/ when they cross services. */
const roots = ["libs", "services", "cli", "tools", "examples", "test"];
const under = (pattern: string) => roots.map((root) => `${root}/**/${pattern}`);

export default defineConfig({
  test: {
    sequence: { sequencer: LongFirst },
    projects: [
      {
        test: {
          name: "unit",
          // They leave nothing behind, and loading the same modules anew for each file took most of their time.
          isolate: false,
          include: under("*.test.ts"),
          exclude: ["**/node_modules/**", ...under("*.int.test.ts"), ...under("*.e2e.test.ts")],
        },
      },
      {
        test: {
          name: "integration",
          include: under("*.int.test.ts"),
          exclude: ["**/node_modules/**"],
          globalSetup: ["libs/testing/global-setup.ts"],
          setupFiles: ["libs/testing/each-file.ts"],
          // Of what the test files' own processes did, a third was loading the same modules anew.
          isolate: false,
          // For what hangs, not for what is slow: each wait in a test has a deadline of its own.
          testTimeout: 180_000,
          hookTimeout: 180_000,
          // They wait for servers and processes more than they work.
          maxWorkers: 4,
        },
      },
      {
        test: {
          name: "e2e",
          include: under("*.e2e.test.ts"),
          exclude: ["**/node_modules/**"],
          setupFiles: ["libs/testing/each-file.ts"],
          isolate: false,
          testTimeout: 600_000,
          hookTimeout: 300_000,
          maxWorkers: 3,
        },
      },
    ],
  },
});
