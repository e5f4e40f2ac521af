import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { TrackingStage } from "@trainyard/test/tracking/stage.ts";
import { startMlflowServer } from "../../mlflow/mlflow-server.ts";
import { type Measurement, median } from "../result.ts";
import { startPeer } from "../start-peer.ts";
import { logBatches } from "./mlflow-client.ts";

/** Each a process of its own. */
const ROUNDS = 7;
const TURNS = 3;
const CALLS = 30;
/** MLflow's own server takes a fifth as many a second. */
const PEER_CALLS = 10;

/** MLflow's client against a server that does nothing, the gateway, and MLflow's server, in turn. */
export async function measureMlflowIngest(
  stage: TrackingStage,
  tokensFile: string,
  say: (line: string) => void,
): Promise<readonly Measurement[]> {
  const gateway = stage.platform.url("gateway");
  const tokens = JSON.parse(readFileSync(tokensFile, "utf8")) as { readonly submitter: string };
  const home = join(stage.dir, "mlflow");
  mkdirSync(home);
  say("starting MLflow's server");
  const peer = await startMlflowServer(home);
  const idle = await startPeer("nothing-server.ts");
  try {
    const own: number[] = [];
    const most: number[] = [];
    const theirs: number[] = [];
    let version = "";
    for (let round = 1; round <= ROUNDS; round++) {
      say(`round ${round} of ${ROUNDS}: MLflow's client, batches of 1,000`);
      const { values } = await logBatches(
        [
          ["nothing", idle.url],
          ["trainyard", gateway],
        ] as const,
        { turns: TURNS, calls: CALLS, token: tokens.submitter },
      );
      most.push(values.nothing);
      own.push(values.trainyard);
      const answer = await logBatches([["mlflow", peer.url]] as const, { turns: 1, calls: PEER_CALLS });
      theirs.push(answer.values.mlflow);
      version = answer.version;
    }
    // Each round's are of one process and stand beside each other in time, so their ratio is what is compared.
    const shares = own.map((value, round) => (100 * value) / (most[round] ?? value));
    const server = { name: "mlflow server (SQLite)", version };
    return [
      {
        metric: "mlflow_rest_points_per_second",
        unit: "points/s",
        value: median(own),
        samples: own,
        peer: { ...server, value: median(theirs) },
      },
      {
        metric: "mlflow_client_most_points_per_second",
        unit: "points/s",
        value: median(most),
        samples: most,
      },
      {
        metric: "mlflow_rest_share_of_most",
        unit: "%",
        value: median(shares),
        samples: shares,
        aim: { op: ">=", value: 70 },
      },
    ];
  } finally {
    await peer.stop();
    await idle.stop();
  }
}
