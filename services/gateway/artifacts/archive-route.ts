import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import type { BlobStore } from "@trainyard/blob";
import { assertArtifactPath, DomainError } from "@trainyard/domain";
import type { Upstreams } from "../proxy/upstreams.ts";
import { param, type Route } from "../rest/route.ts";
import { upstreamCall } from "../rest/upstream-call.ts";
import { dispositionOf } from "./content-type.ts";
import { listFiles } from "./list-files.ts";
import { pathQuery } from "./path-query.ts";
import { tarOf } from "./tar-of.ts";

/** Files of one archive; more are fetched folder by folder, or file by file. */
const MAX_ARCHIVE_FILES = 20_000;

/** Most of what is large does not shrink; gzip at its quickest. */
const GZIP_LEVEL = 1;

/**
 * `GET /api/v1/runs/{run}/archive?path=…`: a folder of a run's files as a `.tar.gz`, made while it is sent. A file that turns out
 * to be damaged cuts it off, since what was sent cannot be taken back.
 */
export function archiveRoute(upstreams: Upstreams, blobs: BlobStore): Route {
  return {
    method: "GET",
    path: "/api/v1/runs/{run}/archive",
    ranks: true,
    async handle(call) {
      const run = param(call, "run");
      const folder = pathQuery(call.request.url);
      if (folder !== "") assertArtifactPath("path", folder);
      const files = await listFiles(upstreams, upstreamCall(call), run, folder, MAX_ARCHIVE_FILES);
      if (files.length === 0) throw nothingThere(run, folder);
      const { response } = call;
      response.setHeader("content-type", "application/gzip");
      response.setHeader("content-disposition", dispositionOf(`${folder || run}.tar.gz`, false));
      response.setHeader("x-content-type-options", "nosniff");
      response.setHeader("cache-control", "private, no-store");
      await pipeline(tarOf(blobs, files, call.signal), createGzip({ level: GZIP_LEVEL }), response);
    },
  };
}

function nothingThere(run: string, folder: string): DomainError {
  const where = folder === "" ? "no files" : `nothing below ${JSON.stringify(folder)}`;
  return new DomainError("not_found", "ARTIFACT_NOT_FOUND", `Run ${run.slice(0, 64)} keeps ${where}.`);
}
