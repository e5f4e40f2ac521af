import { readFileSync } from "node:fs";
import { relative } from "node:path";
import { serviceNames } from "@trainyard/local";
import { exportLines, mlflowVariablesOf } from "../env/exports.ts";
import { style } from "../terminal/style.ts";
import type { RunningPlatform } from "./start-platform.ts";

/** What a person is told once the platform is ready: what is where, and what to do next. */
export function readyMessage(running: RunningPlatform, seconds: string, listenHost: string): string {
  const { platform, agent } = running;
  const rows: [string, string, string][] = [
    ["gateway", platform.url("gateway"), "gRPC, Connect and REST; what every client talks to"],
    ...serviceNames
      .filter((name) => name !== "gateway")
      .map((name): [string, string, string] => [name, platform.url(name), ""]),
    [
      "bus",
      platform.natsUrl,
      `events: nats sub 'trainyard.>' --nkey ${shown(platform.seedFile("subscriber"))}`,
    ],
    ["database", `mongodb://127.0.0.1:${platform.ports.mongod}`, "a user per service; loopback only"],
    agent === undefined
      ? ["node", "none", "started with --no-agent: jobs wait until an agent joins"]
      : ["node", agent.nodeId, `${agent.slots} ${agent.slots === 1 ? "slot" : "slots"}`],
    ["state", shown(platform.dir), "everything that is kept; delete it to start afresh"],
    ["tokens", shown(running.tokensFile), "admin, submitter, approver; commands on this machine find them"],
    ["log", shown(running.logFile), "JSON lines of all services"],
  ];
  const widths = [0, 1].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const table = rows.map(
    ([name, where, note]) =>
      `  ${style.dim(name.padEnd(widths[0] ?? 0))}  ${where.padEnd(widths[1] ?? 0)}${note === "" ? "" : `  ${style.dim(note)}`}`,
  );
  const next = [
    ["npx trainyard init my-model", "write a commented job file and a script to begin with"],
    ["npx trainyard submit my-model/job.yaml -f", "submit it and follow"],
    ["npx trainyard jobs", "what runs and what waits"],
    ["npx trainyard --help", "everything else"],
  ] as const;
  const wide = Math.max(...next.map(([command]) => command.length));
  const mlflow = mlflowLines(platform.url("gateway"), running.tokensFile);
  return [
    `${style.good("●")} ${style.bold("Trainyard is ready")} ${style.dim(`after ${seconds} s`)}`,
    "",
    ...table.map((line) => line.trimEnd()),
    "",
    ...exposure(listenHost),
    "  MLflow clients log here with:",
    ...mlflow.map((line) => `    ${line}`),
    "",
    "  Next, in another terminal:",
    ...next.map(([command, why]) => `    ${style.accent(command.padEnd(wide))}  ${style.dim(why)}`),
    "",
    `  ${style.dim("Ctrl-C stops the platform; what it knows stays for the next start.")}`,
    "",
  ].join("\n");
}

/** What an MLflow client needs. The token is shown to a person only: what a pipe takes is often kept. */
function mlflowLines(url: string, tokensFile: string): readonly string[] {
  const token = process.stdout.isTTY ? tokenIn(tokensFile) : undefined;
  if (token === undefined) return [style.accent('eval "$(npx trainyard env)"')];
  const lines = exportLines(mlflowVariablesOf({ url, token }), "sh");
  return [...lines.map(style.accent), style.dim('or eval "$(npx trainyard env)", which repeats them')];
}

/** Written at the first start, and by then there. */
function tokenIn(file: string): string | undefined {
  try {
    const { submitter } = JSON.parse(readFileSync(file, "utf8")) as { readonly submitter?: string };
    return submitter;
  } catch {
    return undefined;
  }
}

/** Said only where it listens wider than this machine. */
function exposure(listenHost: string): string[] {
  if (["127.0.0.1", "::1", "localhost"].includes(listenHost)) return [];
  return [
    `  ${style.warn("!")} Services and bus listen on ${listenHost}: other machines can reach them. Every call needs a token`,
    "    and the bus a key, but nothing is encrypted; use a trusted network or a TLS proxy.",
    "",
  ];
}

function shown(path: string): string {
  const near = relative(process.cwd(), path);
  return near === "" || near.startsWith("..") ? path : near;
}
