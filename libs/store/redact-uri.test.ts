import { expect, it } from "vitest";
import { redactUri } from "./redact-uri.ts";

it.each([
  ["mongodb://me:s3cret@127.0.0.1:27017/?replicaSet=rs0", "mongodb://***@127.0.0.1:27017/?replicaSet=rs0"],
  ["mongodb://me:s@cret@host/db", "mongodb://***@host/db"],
  ["mongodb://127.0.0.1:27017/db", "mongodb://127.0.0.1:27017/db"],
  ["me:s3cret@host", "***@host"],
])("hides the credentials of %s", (uri, shown) => {
  expect(redactUri(uri)).toBe(shown);
});
