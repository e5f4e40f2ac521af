import { existsSync } from "node:fs";
import { join } from "node:path";
import { DomainError } from "@trainyard/domain";
import { checkoutRoot, findOnPath, isExecutable, setupCommand } from "./checkout.ts";

/** How a program that the platform runs is looked for, most explicit place first. */
interface ProgramSpec {
  readonly title: string;
  /** Names an executable; when set, nothing else is tried, so that a wrong value is an error and not a surprise. */
  readonly variable: string;
  /** Looked for on PATH under this name; left out where a PATH hit would be the wrong program. */
  readonly onPath?: string;
  /** Places inside the checkout, as set-up leaves them. */
  readonly inCheckout: readonly string[];
}

type Environment = Readonly<Record<string, string | undefined>>;

function findProgram(spec: ProgramSpec, env: Environment): string {
  const named = env[spec.variable];
  if (named !== undefined && named !== "") {
    if (isExecutable(named)) return named;
    throw new DomainError(
      "failed_precondition",
      "PROGRAM_NOT_EXECUTABLE",
      `${spec.variable} is "${named}", but there is no executable file there: correct it or unset it`,
    );
  }
  const onPath = spec.onPath === undefined ? undefined : findOnPath(spec.onPath, env.PATH ?? "");
  const candidates = spec.inCheckout.map((path) => join(checkoutRoot, path));
  const found = onPath ?? candidates.find((path) => existsSync(path) && isExecutable(path));
  if (found !== undefined) return found;
  throw new DomainError(
    "failed_precondition",
    "PROGRAM_NOT_FOUND",
    `${spec.title} was not found (looked at ${spec.variable}, ${spec.onPath === undefined ? "" : "PATH, "}${spec.inCheckout.join(", ")}): run \`${setupCommand}\`, or set ${spec.variable} to an executable`,
  );
}

/** The nats-server to run: `NATS_SERVER_BIN`, PATH, else the checkout's own. Throws PROGRAM_NOT_FOUND. */
export function findNatsServer(env: Environment = process.env): string {
  return findProgram(
    {
      title: "nats-server",
      variable: "NATS_SERVER_BIN",
      onPath: "nats-server",
      inCheckout: [".cache/bin/nats-server", ".venv/bin/nats-server"],
    },
    env,
  );
}

/** The mongod to run: `MONGOD_BIN`, PATH, else the checkout's own. Throws PROGRAM_NOT_FOUND. */
export function findMongod(env: Environment = process.env): string {
  return findProgram(
    {
      title: "mongod",
      variable: "MONGOD_BIN",
      onPath: "mongod",
      inCheckout: [".cache/mongod/fiftyone/db/bin/mongod"],
    },
    env,
  );
}

/** The uv that builds jobs' Python environments: `TRAINYARD_UV`, PATH, else set-up's own; undefined where there is none. */
export function findUv(env: Environment = process.env): string | undefined {
  const named = env.TRAINYARD_UV;
  if (named !== undefined && named !== "") return named;
  const own = join(checkoutRoot, ".cache/uv/bin/uv");
  return findOnPath("uv", env.PATH ?? "") ?? (isExecutable(own) ? own : undefined);
}

/** The S3 server that tests run: `VERSITYGW_BIN`, PATH, else the checkout's own. Throws PROGRAM_NOT_FOUND. */
export function findVersitygw(env: Environment = process.env): string {
  return findProgram(
    {
      title: "versitygw",
      variable: "VERSITYGW_BIN",
      onPath: "versitygw",
      inCheckout: [".cache/versitygw/versitygw"],
    },
    env,
  );
}

/**
 * The Python that ranks run under: `TRAINYARD_PYTHON`, else the checkout's environment. Never one from PATH: it would
 * lack PyTorch, and the rank would say so much later.
 */
export function findPython(env: Environment = process.env): string {
  return findProgram(
    { title: "Python with PyTorch", variable: "TRAINYARD_PYTHON", inCheckout: [".venv/bin/python"] },
    env,
  );
}
