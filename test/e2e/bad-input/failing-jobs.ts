import { scheduler, tracking } from "@trainyard/contracts";
import { describe, expect, it } from "vitest";
import type { UnderTest } from "../under-test.ts";
import { runToEnd, scriptSpec } from "./script-job.ts";

const raising = `
def step(lr):
    if lr < 0:
        raise ValueError(f"the learning rate must be positive, got {lr}")

step(-1)
`;

/** Scripts that end badly: what the job and the run's record say of it. */
export function failingJobCases(under: () => UnderTest): void {
  describe("a script", () => {
    it.each([
      [
        "that raises",
        raising,
        1,
        /main\.py", line 4, in step\n.*\n(.*\n)?ValueError: the learning rate must be positive, got -1/,
      ],
      [
        "with an import that is not there",
        "import nothing_of_that_name\n",
        1,
        /ModuleNotFoundError: .*'nothing_of_that_name'/,
      ],
      ["with a syntax error", "def f(:\n", 1, /main\.py", line 1\n(.*\n)+.*SyntaxError: invalid syntax/],
      [
        "that keeps an artifact as ../../x",
        "import trainyard\nopen('a', 'w').close()\ntrainyard.init().artifact('a', name='../../x')\n",
        1,
        /ValueError: artifact name '\.\.\/\.\.\/x' contains '\.\.'; expected a relative path/,
      ],
      ["that exits", "import sys\nsys.exit('no GPU here')\n", 1, /no GPU here/],
    ])("%s fails its job at once, with the end of its traceback", async (_what, script, exitCode, tail) => {
      const { user, dir } = under();
      const job = await runToEnd(user, await scriptSpec(user, dir, script, { retries: 3 }));
      expect(job.state).toBe(scheduler.JobState.FAILED);
      // Before the first step, trying the same again would not help.
      expect(job.attempts).toHaveLength(1);
      expect(job.failure).toMatchObject({
        class: scheduler.FailureClass.USER,
        reason: "RANK_EXITED",
        rank: 0,
        exitCode,
        signal: 0,
      });
      expect(job.failure?.tracebackTail).toMatch(tail);
      // The frames of the platform's own wrapper are nobody's business.
      expect(job.failure?.tracebackTail).not.toContain("runpy");
      const { run } = await user.tracking.getRun({ runId: job.runId });
      expect(run?.status).toBe(tracking.RunStatus.FAILED);
    });

    it("that the code does not hold fails its job with its name", async () => {
      const { user, dir } = under();
      const spec = await scriptSpec(user, dir, "", { entrypoint: ["other.py"] });
      const { failure } = await runToEnd(user, spec);
      expect(failure).toMatchObject({ class: scheduler.FailureClass.USER, exitCode: 2 });
      expect(failure?.tracebackTail).toMatch(/can't open the entrypoint 'other\.py' in .*: no such file/);
    });
  });
}
