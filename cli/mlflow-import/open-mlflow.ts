import { stat } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { DomainError } from "@trainyard/domain";
import { MlflowDatabase } from "./database.ts";
import { FileStore, isFileStore } from "./file-store.ts";
import type { MlflowSource } from "./mlflow-source.ts";
import { MlflowServer } from "./server.ts";

type Env = Readonly<Record<string, string | undefined>>;

/**
 * Opens what MLflow keeps at a tracking URI: a server (http:, https:), a database file (sqlite:///PATH, or the path), or a
 * file store (file:, or the path). `artifacts` is the folder behind mlflow-artifacts:. Throws MLFLOW_NOT_FOUND and
 * MLFLOW_URI_INVALID.
 */
export async function openMlflow(
  uri: string,
  artifacts: string | undefined,
  env: Env,
): Promise<MlflowSource> {
  if (/^https?:\/\//.test(uri)) return new MlflowServer(uri, env);
  const path = pathOf(uri);
  const found = await stat(path).catch(() => undefined);
  if (found?.isFile() === true) return new MlflowDatabase(path, artifacts);
  if (found?.isDirectory() === true) {
    // The folder itself, or the one that a script or server was started in.
    for (const folder of [path, join(path, "mlruns")])
      if (await isFileStore(folder)) return new FileStore(folder, artifacts);
    const database = join(path, "mlflow.db");
    if ((await stat(database).catch(() => undefined))?.isFile() === true)
      return new MlflowDatabase(database, artifacts);
  }
  throw new DomainError(
    "not_found",
    "MLFLOW_NOT_FOUND",
    `${path} is neither a file store of MLflow (mlruns, with a meta.yaml per experiment) nor a database of it (mlflow.db)`,
  );
}

function pathOf(uri: string): string {
  if (uri.startsWith("sqlite:///")) return uri.slice("sqlite:///".length);
  if (uri.startsWith("file://") && URL.canParse(uri)) return fileURLToPath(uri);
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(uri)?.[1];
  if (scheme === undefined || scheme === "file") return uri.replace(/^file:/, "");
  throw new DomainError(
    "invalid_argument",
    "MLFLOW_URI_INVALID",
    `${scheme}: cannot be read directly: expected http(s)://…, sqlite:///FILE, or the path of mlruns or mlflow.db; for another database name the server that stands before it`,
  );
}
