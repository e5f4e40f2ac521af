import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { scheduler } from "@trainyard/contracts";
import { describe, expect, it } from "vitest";
import type { UnderTest } from "../under-test.ts";
import { runToEnd, scriptSpec } from "./script-job.ts";

/** Where the first upload of the agent ends in the middle, with the agent. */
export const cutOffUpload = "agent.upload.half";

const checkpointing = `
import trainyard
with trainyard.init() as run:
    state = {"weights": [0.5] * 200_000}
    if run.resume(state=state) == 0:
        run.log({"loss": 1.0}, step=1)
        run.checkpoint(1, state=state)
`;

/** A record as no SDK writes it. */
const climbing = (file: string) => `
import os
import trainyard
from trainyard.records import RecordWriter, encode_object
run = trainyard.init()
records = RecordWriter(os.path.join(os.environ["TRAINYARD_RANK_DIR"], "records.bin"))
with open("report.txt", "w") as report:
    report.write("harmless")
records.append(encode_object({"kind": "artifact", "path": "../../x", "file": os.path.abspath("report.txt")}))
records.append(encode_object({"kind": "artifact", "path": "stolen", "file": ${JSON.stringify(file)}}))
os.symlink(${JSON.stringify(file)}, "link.txt")
records.append(encode_object({"kind": "artifact", "path": "linked", "file": os.path.abspath("link.txt")}))
run.artifact("report.txt")
`;

/** What ranks have stored: cut off half way, or meant to climb out of their folder. */
export function uploadCases(under: () => UnderTest): void {
  const hasBlob = async (digest: string) => {
    const { url, fleet } = under();
    const headers = { authorization: `Bearer ${fleet.tokens.submitter}` };
    return (await fetch(`${url}/api/v1/blobs/${digest}`, { method: "HEAD", headers })).ok;
  };

  describe("a checkpoint's upload", () => {
    it("cut off half way is made again: it is committed once and whole, and nothing half is left", async () => {
      const { user, dir, fleet } = under();
      const job = await runToEnd(user, await scriptSpec(user, dir, checkpointing));
      expect(job.failure?.message).toBeUndefined();
      expect(job).toMatchObject({ state: scheduler.JobState.SUCCEEDED });
      expect(fleet.starts("agent")).toBe(2);
      const { checkpoints } = await user.tracking.listCheckpoints({ runId: job.runId });
      // On a machine so busy that the agent came back late there is a second attempt, which goes on from that checkpoint or makes its own.
      const attempts = checkpoints.map(({ attempt }) => attempt);
      expect(new Set(attempts).size).toBe(attempts.length);
      expect(checkpoints.map(({ step, worldSize, parts }) => [step, worldSize, parts.length])).toEqual(
        attempts.map(() => [1n, 1, 1]),
      );
      expect(attempts.length).toBeGreaterThan(0);
      for (const { digest } of checkpoints.flatMap(({ parts }) => parts.flatMap(({ files }) => files))) {
        expect(await hasBlob(digest)).toBe(true);
      }
    });
  });

  describe("an artifact", () => {
    it("named ../../x, or taken from outside the run, is left out; nothing outside is read or written", async () => {
      const { user, dir } = under();
      const outside = join(dir, "outside", "secret.txt");
      mkdirSync(dirname(outside));
      writeFileSync(outside, "not yours");
      const before = readdirSync(dir);
      const job = await runToEnd(user, await scriptSpec(user, dir, climbing(outside)));
      expect(job).toMatchObject({ state: scheduler.JobState.SUCCEEDED });
      const { artifacts } = await user.tracking.listArtifacts({ runId: job.runId });
      expect(artifacts.map(({ path }) => path)).toEqual(["report.txt"]);
      expect(await hasBlob(createHash("sha256").update("not yours").digest("hex"))).toBe(false);
      expect(readdirSync(dir).filter((name) => !name.startsWith("code-"))).toEqual(
        before.filter((name) => !name.startsWith("code-")),
      );
      expect(readdirSync(dirname(outside))).toEqual(["secret.txt"]);
    });
  });
}
