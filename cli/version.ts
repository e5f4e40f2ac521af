import cli from "./package.json" with { type: "json" };

/** This software's version. */
export function version(): string {
  return cli.version;
}
