import { expect, it } from "vitest";
import { checkDataPaths } from "./check-data-paths.ts";

const dataset = { name: "d", version: "latest", schemaHash: "" };

it.each([
  ["no paths, with and without a dataset", { dataset }, []],
  ["absolute paths", { dataPaths: ["/data/a", "/data/b c/d.bin"] }, []],
  ["a relative path", { dataPaths: ["/data", "set"] }, ["spec.data_paths[1]"]],
  ["a path that climbs", { dataPaths: ["/data/../etc"] }, ["spec.data_paths[0]"]],
  [
    "the root, and doubled slashes",
    { dataPaths: ["/", "/data//a"] },
    ["spec.data_paths[0]", "spec.data_paths[1]"],
  ],
  ["a NUL", { dataPaths: ["/data\0"] }, ["spec.data_paths[0]"]],
  ["a path beyond 4096 bytes", { dataPaths: [`/${"a".repeat(4096)}`] }, ["spec.data_paths[0]"]],
  ["more than 32", { dataPaths: Array.from({ length: 33 }, (_, n) => `/${n}`) }, ["spec.data_paths"]],
  ["paths beside a dataset", { dataset, dataPaths: ["/data"] }, ["spec.data_paths"]],
])("%s", (_what, spec, fields) => {
  expect(checkDataPaths(spec).map(({ field }) => field)).toEqual(fields);
});
