import { finished } from "./finished.ts";

/** An HTTP answer as curl got it. */
export interface CurlAnswer {
  readonly status: number;
  readonly json: unknown;
}

/** Calls the platform by curl, as a shell script does. Fails when curl itself does. */
export async function curl(
  url: string,
  token: string,
  method: string,
  path: string,
  body?: unknown,
): Promise<CurlAnswer> {
  const withBody =
    body === undefined ? [] : ["-H", "content-type: application/json", "-d", JSON.stringify(body)];
  const auth = ["-H", `authorization: Bearer ${token}`];
  const args = ["-sS", "-X", method, ...auth, ...withBody, "-w", "\n%{http_code}", `${url}${path}`];
  const { code, stdout, stderr } = await finished("curl", args);
  if (code !== 0) throw new Error(`curl ended with ${code}: ${stderr}`);
  const at = stdout.lastIndexOf("\n");
  return { status: Number(stdout.slice(at + 1)), json: JSON.parse(stdout.slice(0, at)) as unknown };
}
