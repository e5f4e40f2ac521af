import { randomUUID } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { scheduler } from "@trainyard/contracts";
import { fromConnectError } from "@trainyard/service";
import { describe, expect, it } from "vitest";
import type { UnderTest } from "../under-test.ts";
import { refused } from "./refused.ts";
import { jobEnd, runToEnd, scriptSpec } from "./script-job.ts";

/** Requests that contradict themselves, each other, or the rules of names. */
export function requestCases(under: () => UnderTest): void {
  const register = (model: string, more: { readonly version?: string; readonly requestId?: string } = {}) =>
    under().user.registry.registerModelVersion({
      requestId: randomUUID(),
      model,
      artifactUri: "s3://bucket/model",
      ...more,
    });

  describe("a request id", () => {
    it("used again with the same body gives the same answer, with another body is refused", async () => {
      const requestId = randomUUID();
      const first = await register("repeated", { requestId });
      const again = await register("repeated", { requestId });
      expect(again.modelVersion?.id).toBe(first.modelVersion?.id);
      const error = await refused(under(), () => register("another", { requestId }));
      expect(error).toMatchObject({ code: "already_exists", reason: "REQUEST_ID_REUSED" });
      expect(error.message).toMatch(/request id/i);
      expect(error.message).toMatch(/new (request )?id|another (request )?id/);
    });

    it("that is missing is asked for", async () => {
      const error = await refused(under(), () => register("named", { requestId: "" }));
      expect(error).toMatchObject({ code: "invalid_argument" });
      expect(error.violations).toMatchObject([{ field: "request_id" }]);
    });
  });

  describe("a page token", () => {
    it("of another query is refused with what to do", async () => {
      const { registry } = under().user;
      for (const version of ["1.0.0", "2.0.0"]) await register("paged", { version });
      const { page } = await registry.listModelVersions({ model: "paged", page: { pageSize: 1 } });
      const pageToken = page?.nextPageToken ?? "";
      const next = await registry.listModelVersions({ model: "paged", page: { pageSize: 1, pageToken } });
      expect(next.modelVersions.map(({ version }) => version)).toEqual(["1.0.0"]);
      for (const [model, token] of [
        ["repeated", pageToken],
        ["paged", "nonsense"],
      ] as const) {
        const error = await refused(under(), () =>
          registry.listModelVersions({ model, page: { pageToken: token } }),
        );
        expect(error).toMatchObject({ code: "invalid_argument", reason: "INVALID_PAGE_TOKEN" });
        expect(error.message).toContain("Start again without a page token");
        expect(error.violations).toMatchObject([{ field: "page_token" }]);
      }
      const error = await refused(under(), () => registry.listModelVersions({ page: { pageSize: 501 } }));
      expect(error).toMatchObject({ code: "invalid_argument" });
      expect(error.message).toContain("500");
    });
  });

  describe("a name", () => {
    it.each(["größe", "数字", "a b", "../x", ".hidden", "-flag", "", "x".repeat(129), "é"])(
      "such as %j is refused with what a name is, for jobs, models and datasets",
      async (name) => {
        const { user, dir } = under();
        const spec = await scriptSpec(user, dir, "", { name });
        const requestId = randomUUID();
        const calls: readonly (readonly [string, () => Promise<unknown>])[] = [
          ["spec.name", () => user.scheduler.submitJob({ requestId, spec })],
          ["model", () => register(name)],
          [
            "name",
            () =>
              user.dataset.registerDatasetVersion({
                requestId,
                name,
                sourceDigest: "a".repeat(64),
                format: 1,
                contractYaml: "key: id\ncolumns: [{ name: id, type: int64 }]\n",
              }),
          ],
        ];
        for (const [field, call] of calls) {
          const error = await refused(under(), call);
          expect(error.code, field).toBe("invalid_argument");
          expect(error.violations.map((one) => one.field)).toContain(field);
          expect(error.message).toContain('expected 1 to 128 letters, digits, ".", "_" or "-"');
        }
      },
    );

    it("is all that is restricted: texts, parameters and what a script prints come back as they were", async () => {
      const { user, dir } = under();
      const words = "größe 数字 🚂 é e\u0301";
      const spec = await scriptSpec(
        user,
        dir,
        "import json, os, trainyard\nrun = trainyard.init()\nprint(run.params['note'], os.environ['NOTE'])\nrun.log({run.params['note']: 1.0}, step=1)\n",
        { params: { note: words, [words]: 1 }, env: { NOTE: words }, labels: { note: words } },
      );
      const job = await runToEnd(user, spec);
      expect(job).toMatchObject({ state: scheduler.JobState.SUCCEEDED });
      expect(job.spec?.labels).toEqual({ note: words });
      const { run } = await user.tracking.getRun({ runId: job.runId });
      expect(run?.params).toEqual({ note: words, [words]: 1 });
      const { points } = await user.tracking.getMetricHistory({ runId: job.runId });
      // Beside what the script logged stands what its node measured of it.
      const logged = points.map(({ key }) => key).filter((key) => !key.startsWith("trainyard/"));
      expect(logged).toEqual([words]);
      const lines: string[] = [];
      for await (const part of user.tracking.readLogs({ runId: job.runId })) lines.push(...part.lines);
      expect(lines).toContain(`${words} ${words}`);
    });
  });

  describe("two users at once", () => {
    it("may use the same request id, each for a job of their own", async () => {
      const { tokens, clientsOf, user, dir } = under();
      const requestId = randomUUID();
      const people = await Promise.all(
        ["ada", "ben"].map(async (principal) => {
          const made = await tokens.createToken({
            requestId: randomUUID(),
            principal,
            roles: ["viewer", "submitter"],
          });
          return clientsOf(made.secret);
        }),
      );
      const specs = await Promise.all(
        people.map((one, index) => scriptSpec(one, dir, `print(${index})\n`, { name: `of-${index}` })),
      );
      const answers = await Promise.all(
        people.map((one, index) =>
          one.scheduler.submitJob({ requestId, spec: specs[index] ?? create(scheduler.JobSpecSchema) }),
        ),
      );
      expect(answers.map(({ job }) => [job?.spec?.name, job?.createdBy])).toEqual([
        ["of-0", "user:ada"],
        ["of-1", "user:ben"],
      ]);
      for (const { job } of answers) {
        const ended = await jobEnd(user, job?.id ?? "");
        expect(ended.state).toBe(scheduler.JobState.SUCCEEDED);
      }
    });

    it("who register the same version get it once; the other is told that it exists", async () => {
      const outcomes = await Promise.allSettled(
        Array.from({ length: 6 }, () => register("contended", { version: "1.0.0" })),
      );
      const losers = outcomes.filter((outcome) => outcome.status === "rejected");
      expect(losers).toHaveLength(5);
      for (const { reason } of losers) {
        const error = fromConnectError(reason);
        expect(error).toMatchObject({ code: "already_exists", reason: "MODEL_VERSION_EXISTS" });
        expect(error.message).toContain("contended");
      }
      const { modelVersions } = await under().user.registry.listModelVersions({ model: "contended" });
      expect(modelVersions).toHaveLength(1);
    });
  });
}
