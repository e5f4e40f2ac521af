/** Variables of the service that is measured: NODE_OPTIONS such as --cpu-prof, from TRAINYARD_BENCH_NODE_OPTIONS. */
export function benchEnv(): Readonly<Record<string, string>> {
  const { TRAINYARD_BENCH_NODE_OPTIONS: options } = process.env;
  return options === undefined ? {} : { NODE_OPTIONS: options };
}
