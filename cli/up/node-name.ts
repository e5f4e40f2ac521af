import { hostname } from "node:os";

/** The node id of this machine's agent when the platform is first started: its host name, as far as ids allow. */
export function nodeName(host: string = hostname()): string {
  const name = (host.split(".")[0] ?? "").replace(/[^A-Za-z0-9_-]+/g, "-").replace(/^-+/, "");
  return name === "" ? "local" : name.slice(0, 63);
}
