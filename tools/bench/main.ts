/**
 * npm run bench -- NAME [--json]     measures; exits 0 when it measured, whatever it found
 * npm run bench -- --list            names every benchmark
 */
import { parseArgs } from "node:util";
import { checkpointBench } from "./checkpoint.ts";
import { endOnInterrupt } from "./end-on-interrupt.ts";
import { feedBench } from "./feed.ts";
import { launchBench } from "./launch.ts";
import { logMetricBench } from "./log-metric.ts";
import { machine } from "./machine.ts";
import { nodeLossBench } from "./node-loss.ts";
import { overheadBench } from "./overhead.ts";
import { measureSlowed } from "./pace.ts";
import { platformBench } from "./platform.ts";
import { recoveryBench } from "./recovery.ts";
import { type Bench, isMet, type Measurement } from "./result.ts";
import { sdkBench } from "./sdk.ts";
import { ingestBench } from "./tracking/ingest.ts";
import { queryBench } from "./tracking/query.ts";
import { storageBench } from "./tracking/storage.ts";
import { visibleBench } from "./tracking/visible.ts";

const benches: readonly Bench[] = [
  platformBench,
  launchBench,
  recoveryBench,
  nodeLossBench,
  overheadBench,
  checkpointBench,
  feedBench,
  sdkBench,
  ingestBench,
  queryBench,
  storageBench,
  visibleBench,
  logMetricBench,
];
const usage = "usage: npm run bench -- NAME [--json] | --list";

function parsed() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: { json: { type: "boolean", default: false }, list: { type: "boolean", default: false } },
    });
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n${usage}`);
    return process.exit(2);
  }
}

const { values, positionals } = parsed();
if (values.list) {
  for (const { name, about } of benches) console.log(`${name.padEnd(12)}${about}`);
  process.exit(0);
}
const bench = benches.find(({ name }) => name === positionals[0]);
if (bench === undefined) {
  console.error(`${usage}\nbenchmarks: ${benches.map(({ name }) => name).join(", ")}`);
  process.exit(2);
}

const say = (line: string) => console.error(line);
const slowedBefore = measureSlowed();
const results = await endOnInterrupt(say, () => bench.run(say));
const slowed = [slowedBefore, measureSlowed()];
say(`by itself, the machine was slow in ${slowed.map(percent).join(" and ")} of 4 s before and after`);
const report = {
  name: bench.name,
  at: new Date().toISOString(),
  machine: { ...machine(), slowed },
  results: results.map((result) => ({
    ...result,
    ...(result.aim === undefined || result.notRun !== undefined ? {} : { met: isMet(result) }),
  })),
};
console.log(values.json ? JSON.stringify(report) : table(results));
process.exit(0);

function percent(share: number): string {
  return `${(share * 100).toFixed(0)} %`;
}

function table(rows: readonly Measurement[]): string {
  const width = Math.max(...rows.map(({ metric }) => metric.length)) + 2;
  return rows
    .map((row) => {
      if (row.notRun !== undefined) return `${row.metric.padEnd(width)}not run: ${row.notRun}`;
      const value = `${row.value < 10 ? row.value.toFixed(2) : row.value.toFixed(0)} ${row.unit}`.padEnd(18);
      const aim =
        row.aim === undefined ? "" : `aim ${row.aim.op} ${row.aim.value}: ${isMet(row) ? "met" : "not met"}`;
      return `${row.metric.padEnd(width)}${value}${aim}`;
    })
    .join("\n");
}
