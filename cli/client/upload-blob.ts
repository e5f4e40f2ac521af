import { createReadStream } from "node:fs";
import { request as httpRequest, type IncomingMessage, type RequestOptions } from "node:http";
import { request as httpsRequest } from "node:https";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { DomainError, type ErrorCode } from "@trainyard/domain";
import { callError } from "./call-error.ts";
import type { PlatformAddress } from "./find-platform.ts";

/** What is to be stored: a file, or bytes at hand. */
export interface BlobSource {
  readonly digest: string;
  readonly sizeBytes: number;
  readonly content: { readonly file: string } | { readonly bytes: Uint8Array };
}

/** From here on a file is sent in parts: it can be gone on with when it is cut off, and need not pass through the gateway. */
const inPartsFromBytes = 32 * 1024 * 1024;

/** Silence of the connection after which an upload is given up. */
const silenceMs = 60_000;

/**
 * Stores a blob under its digest through the gateway; one that is there already is not sent again. `onProgress` is told
 * how many bytes went out. Gives whether anything was sent.
 */
export async function uploadBlob(
  address: PlatformAddress,
  blob: BlobSource,
  onProgress: (sentBytes: number) => void = () => undefined,
): Promise<{ readonly sent: boolean }> {
  const head = await exchange(address, "HEAD", blob.digest);
  if (head.statusCode === 200) return { sent: false };
  if (head.statusCode !== 404) throw await refusal(head, address.url);
  if (blob.sizeBytes >= inPartsFromBytes && "file" in blob.content) {
    const { createClients } = await import("./clients.ts");
    const { uploadFileInParts } = await import("./upload-in-parts.ts");
    return await uploadFileInParts(createClients(address), address, { ...blob, ...blob.content }, onProgress);
  }
  const answer = await exchange(address, "PUT", blob.digest, blob, onProgress);
  const status = answer.statusCode ?? 0;
  if (status < 200 || status > 299) throw await refusal(answer, address.url);
  answer.resume();
  return { sent: true };
}

async function exchange(
  { url, token }: PlatformAddress,
  method: "HEAD" | "PUT",
  digest: string,
  blob?: BlobSource,
  onProgress: (sentBytes: number) => void = () => undefined,
): Promise<IncomingMessage> {
  const target = new URL(`${url}/api/v1/blobs/${digest}`);
  const options: RequestOptions = {
    method,
    timeout: silenceMs,
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(blob === undefined
        ? {}
        : { "content-type": "application/octet-stream", "content-length": blob.sizeBytes }),
    },
  };
  const request = target.protocol === "https:" ? httpsRequest(target, options) : httpRequest(target, options);
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    request.once("response", resolve);
    request.once("error", (error) => reject(callError(error, url)));
    request.once("timeout", () => request.destroy(new Error(`no answer for ${silenceMs / 1000} s`)));
  });
  if (blob === undefined) request.end();
  // The server may answer (and close) before it has read everything, such as to say that it is too much: then the answer counts.
  else pipeline(contentOf(blob), counting(onProgress), request).catch((error) => request.destroy(error));
  return answered;
}

function contentOf({ content }: BlobSource): Readable {
  return "file" in content
    ? createReadStream(content.file, { highWaterMark: 256 * 1024 })
    : Readable.from([Buffer.from(content.bytes)]);
}

function counting(onProgress: (sentBytes: number) => void): Transform {
  let sent = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      sent += chunk.length;
      onProgress(sent);
      done(null, chunk);
    },
  });
}

const codes: Readonly<Record<number, ErrorCode>> = {
  400: "invalid_argument",
  401: "unauthenticated",
  403: "permission_denied",
  404: "not_found",
  409: "failed_precondition",
  412: "failed_precondition",
  413: "resource_exhausted",
  429: "resource_exhausted",
  503: "unavailable",
};

/** The gateway's error body, else the status. A HEAD answer has no body. */
async function refusal(answer: IncomingMessage, url: string): Promise<DomainError> {
  const status = answer.statusCode ?? 0;
  const chunks: Buffer[] = [];
  // Without an encoding a message gives buffers.
  for await (const chunk of answer) chunks.push(chunk as Buffer);
  const { reason, message } = errorBody(Buffer.concat(chunks).toString("utf8"));
  return new DomainError(
    codes[status] ?? "internal",
    reason ?? (status === 401 ? "UNAUTHENTICATED" : `HTTP_${status}`),
    message ??
      (status === 401
        ? `${url} wants a valid token`
        : `${url} refused the upload with HTTP status ${status}`),
  );
}

function errorBody(text: string): { readonly reason?: string; readonly message?: string } {
  try {
    const body: unknown = JSON.parse(text);
    const holder = typeof body === "object" && body !== null && "error" in body ? body.error : body;
    if (typeof holder !== "object" || holder === null) return {};
    const field = (name: string) => {
      const value: unknown = Object.entries(holder).find(([key]) => key === name)?.[1];
      return typeof value === "string" ? value : undefined;
    };
    const [reason, message] = [field("reason"), field("message")];
    return { ...(reason === undefined ? {} : { reason }), ...(message === undefined ? {} : { message }) };
  } catch {
    return {};
  }
}
