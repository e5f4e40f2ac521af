/** Set-up of the tests of searches: the service, who searches, and how runs come to be. */
import { tracking } from "@trainyard/contracts";
import { rpcClient } from "@trainyard/service";
import { testSigner } from "@trainyard/testing";
import { project, startTracking, type TestTracking } from "./test-service.ts";
import { asUser, type Caller, nextRequest } from "./test-users.ts";

type Asked = Omit<Partial<tracking.SearchRunsRequest>, "$typeName" | "page" | "fields">;
type NewRun = Partial<Parameters<Caller["runs"]["createRun"]>[0]>;

/** The service with somebody who searches, and somebody of another project. */
export interface TestSearch {
  readonly service: TestTracking;
  readonly ada: Caller;
  readonly stranger: Caller;
  search(
    asked: Asked,
    page?: { pageSize: number; pageToken: string },
    fields?: Partial<tracking.RunFields>,
  ): Promise<{ readonly runs: tracking.Run[]; readonly next: string }>;
  names(asked: Asked): Promise<string[]>;
  aRun(changes: NewRun): Promise<string>;
  /** Logs values of some metrics, one a step. */
  log(runId: string, values: Readonly<Record<string, readonly number[]>>): Promise<void>;
}

export async function startSearch(): Promise<TestSearch> {
  const service = await startTracking();
  const [ada, stranger] = await Promise.all([
    asUser(service, "ada"),
    asUser(service, "eve", { project: "other" }),
  ]);
  const gateway = await testSigner("gateway");
  const who = { name: "ada", kind: "user", roles: ["submitter"], project } as const;
  const metrics = rpcClient(tracking.MetricService, service.app.server.url, {
    timeoutMs: 20_000,
    token: () => gateway.sign(who, 60_000),
  });

  const search: TestSearch["search"] = async (
    asked,
    page = { pageSize: 500, pageToken: "" },
    fields = {},
  ) => {
    const { $typeName: _, ...columns } = fields;
    const response = await ada.runs.searchRuns({ ...asked, page, fields: columns });
    return { runs: response.runs, next: response.page?.nextPageToken ?? "" };
  };

  return {
    service,
    ada,
    stranger,
    search,
    names: async (asked) => (await search(asked)).runs.map(({ name }) => name),
    async aRun(changes) {
      const request = { requestId: nextRequest(), experiment: "search", ...changes };
      const { run } = await ada.runs.createRun(request as Parameters<Caller["runs"]["createRun"]>[0]);
      return run?.id ?? "";
    },
    async log(runId, values) {
      const keys = Object.keys(values);
      const points = keys.flatMap((key, keyIndex) =>
        (values[key] ?? []).map((value, step) => ({ keyIndex, value, step })),
      );
      await metrics.logMetrics({
        requestId: nextRequest(),
        runId,
        points: {
          keys,
          keyIndex: points.map(({ keyIndex }) => keyIndex),
          steps: points.map(({ step }) => BigInt(step)),
          timesMs: points.map(({ step }) => 1_000 + step),
          values: points.map(({ value }) => value),
        },
      });
    },
  };
}
