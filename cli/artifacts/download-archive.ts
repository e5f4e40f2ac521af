import { createWriteStream } from "node:fs";
import { rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { DomainError } from "@trainyard/domain";
import type { PlatformAddress } from "../client/find-platform.ts";

/** Fetches a folder as one archive, and gives the file's name. A cut off archive leaves nothing. */
export async function downloadArchive(
  { url, token }: PlatformAddress,
  runId: string,
  path: string,
  output: string,
): Promise<string> {
  const isFolder = (await stat(output).catch(() => undefined))?.isDirectory() === true;
  const name = `${runId}${path === "" ? "" : `-${path.replaceAll("/", "-")}`}.tar.gz`;
  const file = isFolder ? join(output, name) : output;
  const target = `${url}/api/v1/runs/${encodeURIComponent(runId)}/archive?path=${encodeURIComponent(path)}`;
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const answer = await fetch(target, { headers });
  if (!answer.ok || answer.body === null) {
    const text = (await answer.text()).slice(0, 300);
    const code = answer.status === 404 ? "not_found" : "invalid_argument";
    throw new DomainError(code, "DOWNLOAD_REFUSED", `The platform refused the download: ${text}`);
  }
  const partial = `${file}.part`;
  try {
    await pipeline(Readable.fromWeb(answer.body), createWriteStream(partial));
    await rename(partial, file);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
  return file;
}
