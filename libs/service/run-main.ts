import { currentTelemetry } from "@trainyard/telemetry";
import type { App } from "./app.ts";
import { ConfigError } from "./config.ts";

/** What a service's process ends with. */
export const exitCodes = { ok: 0, failed: 1, badConfig: 2, killed: 130 } as const;

/**
 * Runs a service until SIGTERM or SIGINT, then stops it in order and exits with 0. A second signal exits at once. A
 * configuration that cannot be used is printed line by line (exit code 2), any other failure to start with its causes
 * (1). Never returns.
 */
export async function runMain(name: string, build: () => Promise<App>): Promise<never> {
  const signalled = Promise.withResolvers<void>();
  const onSignal = () => {
    signalled.resolve();
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      process.off(signal, onSignal);
      process.on(signal, () => process.exit(exitCodes.killed));
    }
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);

  let code: number = exitCodes.ok;
  try {
    const app = await build();
    const started = app.start();
    // A signal in mid-start stops what has started already.
    await Promise.race([started, signalled.promise]);
    await signalled.promise;
    await app.stop();
  } catch (error) {
    code = error instanceof ConfigError ? exitCodes.badConfig : exitCodes.failed;
    process.stderr.write(`${code === exitCodes.badConfig ? `${name}: ` : ""}${describeFailure(error)}\n`);
  }
  await currentTelemetry()?.shutdown();
  process.exit(code);
}

/** An error and its causes, one a line. */
export function describeFailure(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const causes =
    error instanceof AggregateError ? error.errors : error.cause === undefined ? [] : [error.cause];
  return [error.message, ...causes.map((cause) => `  because: ${describeFailure(cause)}`)].join("\n");
}
