import { blobUrlInvalid } from "../errors.ts";

/** Where a store's objects are. Credentials are not among it: they come from where AWS clients look for them. */
export interface S3Settings {
  readonly bucket: string;
  /** What every key begins with; empty, or ends with "/". */
  readonly prefix: string;
  /** Of a server that is not AWS; absent for AWS itself. */
  readonly endpoint?: string;
  readonly region: string;
}

const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const PREFIX = /^([A-Za-z0-9_][A-Za-z0-9._-]*\/)*$/;

/**
 * Reads `s3://bucket/prefix?endpoint=http://host:9000&region=eu-central-1`. Without an endpoint in the URL S3_ENDPOINT
 * counts, without a region AWS_REGION, else us-east-1. Throws BLOB_URL_INVALID.
 */
export function s3Settings(url: URL, env: Readonly<Record<string, string | undefined>>): S3Settings {
  if (url.username !== "" || url.password !== "") {
    throw blobUrlInvalid(
      "credentials have no place in it; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment",
    );
  }
  if (!BUCKET.test(url.hostname)) throw blobUrlInvalid("expected s3://bucket/prefix with a bucket's name");
  const path = url.pathname.replace(/^\/+/, "").replace(/\/*$/, "/");
  const prefix = path === "/" ? "" : path;
  if (!PREFIX.test(prefix)) {
    throw blobUrlInvalid('a prefix has letters, digits, ".", "_" and "-", and "/" between its parts');
  }
  for (const name of url.searchParams.keys()) {
    if (name !== "endpoint" && name !== "region") {
      throw blobUrlInvalid(`it takes endpoint and region, not ${JSON.stringify(name)}`);
    }
  }
  const endpoint = url.searchParams.get("endpoint") ?? env.S3_ENDPOINT ?? "";
  if (endpoint !== "" && !/^https?:$/.test(URL.canParse(endpoint) ? new URL(endpoint).protocol : "")) {
    throw blobUrlInvalid("the endpoint of S3 is a URL such as http://127.0.0.1:9000");
  }
  const region = url.searchParams.get("region") ?? env.AWS_REGION ?? env.AWS_DEFAULT_REGION ?? "us-east-1";
  return { bucket: url.hostname, prefix, region, ...(endpoint === "" ? {} : { endpoint }) };
}
