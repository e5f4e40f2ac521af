import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { checkoutRoot } from "@trainyard/local";
import { tempDir } from "@trainyard/testing";
import { expect, it } from "vitest";
import { type ParquetColumn, writeParquet } from "./parquet-file.ts";

interface Row {
  readonly key: string;
  readonly step: bigint;
  readonly value: number;
}

const columns: readonly ParquetColumn<Row>[] = [
  { name: "key", type: "text", value: ({ key }) => key },
  { name: "step", type: "bigint", value: ({ step }) => step },
  { name: "value", type: "double", value: ({ value }) => value },
  { name: "rank", type: "integer", value: () => null },
  { name: "at", type: "time", value: ({ step }) => new Date(1_760_000_000_000 + Number(step % 10n)) },
  { name: "params", type: "texts", value: ({ key }) => ({ [key]: "0.1", "a b": "" }) },
];

async function* batches(): AsyncGenerator<readonly Row[]> {
  const values = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, 0.1 + 0.2, 5e-324];
  yield values.map((value, index) => ({ key: "ö", step: BigInt(index - 3), value }));
  yield Array.from({ length: 5_000 }, (_, index) => ({ key: "k", step: 2n ** 53n - 1n, value: index }));
}

const reader = `
import json, sys, pyarrow.parquet as parquet
table = parquet.read_table(sys.argv[1])
first = table.slice(0, 6).to_pylist()
print(json.dumps({
    "rows": table.num_rows,
    "steps": [row["step"] for row in first],
    "values": [row["value"].hex() for row in first],
    "rank": first[0]["rank"],
    "at": first[0]["at"].isoformat(),
    "params": dict(first[0]["params"]),
    "last": [table["step"][5005].as_py(), table["value"][5005].as_py()],
}))`;

it("a Parquet file is what pyarrow reads: every bit of every double, whole steps, moments in UTC, maps", async () => {
  const file = join(tempDir("parquet"), "it's.parquet");
  expect(await writeParquet(file, columns, batches())).toMatchObject({ rows: 5_006 });
  const read = execFileSync(join(checkoutRoot, ".venv/bin/python"), ["-c", reader, file], {
    encoding: "utf8",
  });
  expect(JSON.parse(read)).toEqual({
    rows: 5_006,
    steps: [-3, -2, -1, 0, 1, 2],
    values: ["nan", "inf", "-inf", "-0x0.0p+0", "0x1.3333333333334p-2", "0x0.0000000000001p-1022"],
    rank: null,
    at: "2025-10-09T08:53:19.997000+00:00",
    params: { ö: "0.1", "a b": "" },
    last: [2 ** 53 - 1, 4999],
  });
});
