import { open } from "node:fs/promises";
import { connect } from "node:net";

/** More than any answer has. */
const MAX_ANSWER_BYTES = 64 * 1024;

/**
 * Sends one request to the launcher's socket in a folder and returns its answer, parsed. Rejects when nobody answers, or
 * not within `timeoutMs`, or with something that is no JSON.
 *
 * The socket is reached by way of the open folder, for the path of a Unix socket may have 107 bytes only, and an agent's
 * folder may lie deeper.
 */
export async function askLauncher(
  dir: string,
  socket: string,
  request: Readonly<Record<string, unknown>>,
  timeoutMs: number,
): Promise<unknown> {
  const folder = await open(dir, "r");
  try {
    return JSON.parse(await exchange(`/proc/self/fd/${folder.fd}/${socket}`, request, timeoutMs));
  } finally {
    await folder.close();
  }
}

function exchange(path: string, request: unknown, timeoutMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const connection = connect(path);
    const timer = setTimeout(
      () => connection.destroy(new Error(`the launcher did not answer within ${timeoutMs} ms`)),
      timeoutMs,
    );
    let answer = "";
    connection.setEncoding("utf8");
    connection.on("connect", () => connection.write(`${JSON.stringify(request)}\n`));
    connection.on("data", (text: string) => {
      answer += text;
      if (answer.includes("\n") || answer.length > MAX_ANSWER_BYTES) connection.end();
    });
    connection.on("error", reject);
    connection.on("close", () => {
      clearTimeout(timer);
      if (answer.includes("\n")) resolve(answer);
      else reject(new Error("the launcher ended the connection without an answer"));
    });
  });
}
