/** How long a dependency may take to answer before it counts as away. */
const CHECK_TIMEOUT_MS = 2_000;

/** How long an answer is reused: probes from several sides do not add up to load. */
const CACHE_MS = 500;

/** What is known of a service's readiness. `checks` has "ok" or what is wrong, by dependency. */
export interface Readiness {
  readonly ready: boolean;
  readonly started: boolean;
  readonly checks: Readonly<Record<string, string>>;
}

/** Answers whether this service can do its work now; behind /readyz and grpc.health.v1. */
export interface Health {
  /** Set by the app: true once all parts have started, false when stopping begins. */
  setStarted(started: boolean): void;
  readiness(): Promise<Readiness>;
}

export interface HealthOptions {
  /** By dependency: resolves when it answers, such as `mongodb: () => store.ping()`. */
  readonly checks?: Readonly<Record<string, () => Promise<unknown>>>;
}

/**
 * Makes a service's health. Being alive is not part of it: a liveness probe that asked the database would have every
 * service restarted when the database is.
 */
export function createHealth(options: HealthOptions = {}): Health {
  const checks = Object.entries(options.checks ?? {});
  let started = false;
  let cached: { readonly at: number; readonly results: Promise<Record<string, string>> } | undefined;

  function results(): Promise<Record<string, string>> {
    const at = performance.now();
    if (cached === undefined || at - cached.at > CACHE_MS) cached = { at, results: runAll(checks) };
    return cached.results;
  }

  return {
    setStarted(value) {
      started = value;
    },
    async readiness() {
      const outcome = await results();
      const ready = started && Object.values(outcome).every((result) => result === "ok");
      return { ready, started, checks: outcome };
    },
  };
}

async function runAll(
  checks: readonly (readonly [string, () => Promise<unknown>])[],
): Promise<Record<string, string>> {
  return Object.fromEntries(
    await Promise.all(checks.map(async ([name, check]) => [name, await outcomeOf(check)])),
  );
}

/** Only "away" is told: what exactly the driver said may quote addresses, and is in the log. */
async function outcomeOf(check: () => Promise<unknown>): Promise<string> {
  const timeout = Promise.withResolvers<string>();
  const timer = setTimeout(
    () => timeout.resolve(`no answer within ${CHECK_TIMEOUT_MS} ms`),
    CHECK_TIMEOUT_MS,
  );
  const checked = async () => {
    await check();
    return "ok";
  };
  try {
    return await Promise.race([checked().catch(() => "unreachable"), timeout.promise]);
  } finally {
    clearTimeout(timer);
  }
}
