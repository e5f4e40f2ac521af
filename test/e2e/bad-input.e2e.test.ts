import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";
import { datasetCases } from "./bad-input/datasets.ts";
import { failingJobCases } from "./bad-input/failing-jobs.ts";
import { jobFileCases } from "./bad-input/job-files.ts";
import { largeRequestCases } from "./bad-input/large-requests.ts";
import { promotionCases } from "./bad-input/promotion.ts";
import { requestCases } from "./bad-input/requests.ts";
import { tokenCases } from "./bad-input/tokens.ts";
import { cutOffUpload, uploadCases } from "./bad-input/uploads.ts";
import { startUnderTest, type UnderTest } from "./under-test.ts";

let platform: UnderTest;

beforeAll(async () => {
  platform = await startUnderTest((dir) => ({
    env: { agent: { TRAINYARD_CRASH_AT: cutOffUpload, TRAINYARD_CRASH_ONCE_DIR: join(dir, "crashed") } },
  }));
});

afterAll(async () => {
  await platform.stop();
});

const under = () => platform;

uploadCases(under);
jobFileCases(under);
datasetCases(under);
failingJobCases(under);
tokenCases(under);
requestCases(under);
largeRequestCases(under);
promotionCases(under);
