import { Readable } from "node:stream";
import { DomainError, type ErrorCode } from "@trainyard/domain";
import { z } from "zod";

type Query = Readonly<Record<string, unknown>>;

/** Asks an MLflow server over its REST interface, as MLflow's own client does. */
export class MlflowRest {
  readonly #url: string;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(url: string, env: Readonly<Record<string, string | undefined>>) {
    this.#url = url.replace(/\/+$/, "");
    this.#headers = authorization(env);
  }

  /** Every page of an answer that has several. */
  async *pages<T extends { readonly next_page_token?: string | null | undefined }>(
    method: "GET" | "POST",
    path: string,
    query: Query,
    schema: z.ZodType<T>,
  ): AsyncGenerator<T> {
    let token = "";
    do {
      const page = await this.ask(
        method,
        path,
        token === "" ? query : { ...query, page_token: token },
        schema,
      );
      yield page;
      token = page.next_page_token ?? "";
    } while (token !== "");
  }

  /** Throws MLFLOW_REFUSED, MLFLOW_UNREACHABLE, and MLFLOW_ANSWER_INVALID for what is not as the schema says. */
  async ask<T>(method: "GET" | "POST", path: string, query: Query, schema: z.ZodType<T>): Promise<T> {
    const url = `${this.#url}/api/2.0/mlflow/${path}`;
    const words = Object.entries(query).map(([key, value]): [string, string] => [key, String(value)]);
    const answer =
      method === "GET"
        ? await this.#fetch(`${url}?${new URLSearchParams(words)}`, {})
        : await this.#fetch(url, {
            method,
            headers: { "content-type": "application/json" },
            body: JSON.stringify(query),
          });
    const parsed = schema.safeParse(await answer.json().catch(() => undefined));
    if (parsed.success) return parsed.data;
    throw new DomainError(
      "failed_precondition",
      "MLFLOW_ANSWER_INVALID",
      `${url} did not answer as MLflow does: ${z.prettifyError(parsed.error).slice(0, 500)}`,
    );
  }

  /** The bytes at a path. */
  async *bytes(path: string): AsyncGenerator<Uint8Array> {
    const { body } = await this.#fetch(`${this.#url}/${path}`, {});
    if (body === null) return;
    // A web stream of a response's body gives bytes.
    for await (const chunk of Readable.fromWeb(body)) yield chunk as Uint8Array;
  }

  async #fetch(url: string, init: RequestInit): Promise<Response> {
    const answer = await fetch(url, { ...init, headers: { ...this.#headers, ...init.headers } }).catch(
      (error: unknown) => {
        throw new DomainError(
          "unavailable",
          "MLFLOW_UNREACHABLE",
          `no MLflow server answers at ${this.#url}`,
          {
            cause: error,
          },
        );
      },
    );
    if (answer.ok) return answer;
    const text = (await answer.text()).slice(0, 500);
    throw new DomainError(
      codes[answer.status] ?? "failed_precondition",
      "MLFLOW_REFUSED",
      `${url.split("?")[0]} answered ${answer.status}: ${text}`,
    );
  }
}

const codes: Readonly<Record<number, ErrorCode>> = {
  401: "unauthenticated",
  403: "permission_denied",
  404: "not_found",
  500: "unavailable",
  502: "unavailable",
  503: "unavailable",
};

/** As MLflow's own client signs in: by token, else by name and password. */
function authorization(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  if (env.MLFLOW_TRACKING_TOKEN) return { authorization: `Bearer ${env.MLFLOW_TRACKING_TOKEN}` };
  const { MLFLOW_TRACKING_USERNAME: name, MLFLOW_TRACKING_PASSWORD: password } = env;
  if (!name || !password) return {};
  return { authorization: `Basic ${Buffer.from(`${name}:${password}`).toString("base64")}` };
}
