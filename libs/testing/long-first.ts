import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Files that take the longest, by a part of their path: each waits for much, or runs much. */
const long: readonly string[] = [
  "services/tracking/crash",
  "services/dataset/register",
  "services/evaluation/evaluation",
  "services/worker-agent/agent-",
  "services/worker-agent/launcher/",
  "services/tracking/search",
  "test/chaos/",
  "test/e2e/flow",
  "test/e2e/failures",
  "test/e2e/kill-anything",
  "test/e2e/network",
];

/**
 * Begins with the files that take long, so that none of them is what a run ends with, alone. Without this, and without
 * what earlier runs have told (a clean checkout), the largest files come first, which are seldom those.
 */
export class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isLong = ({ moduleId }: TestSpecification) => long.some((part) => moduleId.includes(part));
    const sorted = await super.sort(files);
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))];
  }
}
