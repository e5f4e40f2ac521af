import { mkdtemp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { trainyard } from "../finished.ts";
import type { UnderTest } from "../under-test.ts";
import { footprint } from "./footprint.ts";

const minimal = "name: small\nframework: process\nentrypoint: [main.py]\n";

/** What a job file has wrong, told with file, line and column by `trainyard submit`. */
export function jobFileCases(under: () => UnderTest): void {
  describe("a job file", () => {
    const submit = async (yaml: string) => {
      const { url, dir, fleet, user } = under();
      const cwd = await mkdtemp(join(dir, "job-"));
      await writeFile(join(cwd, "job.yaml"), yaml);
      await writeFile(join(cwd, "main.py"), "print('never run')\n");
      const before = await footprint(user);
      const ended = await trainyard({ url, token: fleet.tokens.submitter, cwd }, "submit", "job.yaml");
      expect(await footprint(user)).toEqual(before);
      return ended;
    };

    it.each([
      [
        "a syntax error",
        "name: small\nentrypoint: [main.py\nranks: 1\n",
        /job\.yaml:3:1: .*flow sequence/i,
        "JOB_INVALID",
      ],
      [
        "an unknown field",
        `${minimal}rank: 2\n`,
        /job\.yaml:4:7: rank: unknown field "rank"; did you mean "ranks"\?/,
        "JOB_INVALID",
      ],
      [
        "a wrong type",
        `${minimal}ranks: two\n`,
        /job\.yaml:4:8: ranks: expected a whole number from 1 to 4096, or min and max/,
        "JOB_INVALID",
      ],
    ])(
      "with %s is refused with its place, and nothing is submitted",
      async (_what, yaml, message, reason) => {
        const { code, stdout, stderr } = await submit(yaml);
        expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
        expect(stderr).toMatch(message);
        expect(stderr).toContain(reason);
      },
    );

    it("with several mistakes is refused with all of them, in their order", async () => {
      const { stderr } = await submit("name: -x\nranks: 0\npriority: urgent\n");
      expect(stderr.match(/job\.yaml:\d+:\d+/g)).toEqual([
        "job.yaml:1:1",
        "job.yaml:1:7",
        "job.yaml:2:8",
        "job.yaml:3:11",
      ]);
      expect(stderr).toContain("expected one of low, normal, high");
    });

    it("that is not there is refused with what writes one", async () => {
      const { url, dir, fleet } = under();
      const token = fleet.tokens.submitter;
      const { code, stderr } = await trainyard({ url, token, cwd: dir }, "submit", "nowhere.yaml");
      expect(code).toBe(3);
      expect(stderr).toContain('nowhere.yaml: cannot be read; "trainyard init" writes a commented job file');
    });

    it("with a name that is none is refused with what a name is", async () => {
      const { code, stderr } = await submit("name: größe\nentrypoint: [main.py]\n");
      expect(code).toBe(2);
      expect(stderr).toMatch(/job\.yaml:1:7: name: expected 1 to 128 of a-z/);
    });
  });
}
