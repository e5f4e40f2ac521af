import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { dataset } from "@trainyard/contracts";
import { checkoutRoot, findPython } from "@trainyard/local";
import type { FlowClients } from "@trainyard/test/flow/clients.ts";
import { digitsDir } from "@trainyard/test/flow/digits.ts";
import type { Screen } from "./screen.ts";

const run = promisify(execFile);

async function parquet(broken: boolean): Promise<string> {
  const dir = join(checkoutRoot, ".cache/demo");
  await mkdir(dir, { recursive: true });
  const out = join(dir, broken ? "digits-broken.parquet" : "digits.parquet");
  // Always the same content, so one that is there need not be made again.
  if (existsSync(out)) return out;
  await run(findPython(), [join(digitsDir, "make_data.py"), "--out", out, ...(broken ? ["--broken"] : [])]);
  return out;
}

async function register(user: FlowClients, file: string): Promise<dataset.DatasetVersion> {
  const sourceDigest = await user.upload(await readFile(file));
  const contractYaml = await readFile(join(digitsDir, "contract.yaml"), "utf8");
  const request = {
    requestId: randomUUID(),
    name: "digits",
    sourceDigest,
    format: dataset.FileFormat.PARQUET,
    contractYaml,
  };
  const { datasetVersion } = await user.dataset.registerDatasetVersion(request, { timeoutMs: 60_000 });
  if (datasetVersion === undefined) throw new Error("the registered version is missing in the answer");
  return datasetVersion;
}

/** Registers the digits. */
export async function registerDigits(user: FlowClients): Promise<dataset.DatasetVersion> {
  return register(user, await parquet(false));
}

/** What the demo tells of the data. */
export interface DataSummary {
  readonly version: string;
  readonly rows: number;
  readonly splits: Readonly<Record<string, number>>;
  readonly refused: readonly string[];
}

/** Registers the digits, and shows that a file that breaks its contract is refused with the reason. */
export async function registerData(user: FlowClients, out: Screen): Promise<DataSummary> {
  out.chapter("Data: the UCI handwritten digits, registered against a contract");
  out.command("trainyard datasets register digits digits.parquet --contract examples/digits/contract.yaml");
  const version = await registerDigits(user);
  const splits = Object.fromEntries(version.splits.map(({ name, rowCount }) => [name, Number(rowCount)]));
  out.good(
    `digits ${version.version}: ${version.rowCount} rows, ${version.report?.rules.length ?? 0} rules hold`,
  );
  out.dim(
    `splits: ${Object.entries(splits)
      .map(([name, rows]) => `${name} ${rows}`)
      .join(", ")}; schema ${version.schemaHash.slice(0, 12)}`,
  );
  out.line("A broken copy of the same file:");
  const broken = await register(user, await parquet(true));
  const refused = (broken.report?.rules ?? [])
    .filter(({ passed }) => !passed)
    .map(
      ({ rule, failedRows, examples }) =>
        `${rule}: ${failedRows} rows do not, such as ${examples.slice(0, 2).join("; ")}`,
    );
  if (broken.state !== dataset.DatasetState.QUARANTINED) throw new Error("the broken file was not refused");
  out.bad(`refused, and kept as ${broken.version} in quarantine for whoever has to look into it:`);
  for (const reason of refused) out.dim(reason);
  return { version: version.version, rows: Number(version.rowCount), splits, refused };
}
