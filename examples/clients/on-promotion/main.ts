/**
 * Reacts to promotions with nothing but a NATS client: prints one line for each model version that changes its stage.
 * What a deployment would do on a new champion (fetch the model, roll the servers) goes where the line is printed.
 *
 *   node main.ts --url nats://127.0.0.1:7422 --seed .trainyard/secrets/subscriber/nats.seed [--count 1]
 *
 * The platform may deliver an event again with the same id, so the ids that were seen are remembered.
 */
import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { connect, nkeyAuthenticator } from "@nats-io/transport-node";

/** The part of the event this program uses; the whole is in docs/EVENTS.md. */
interface StageChanged {
  readonly id: string;
  readonly time: string;
  readonly data: {
    readonly modelVersion: { readonly model: string; readonly version: string; readonly digest?: string };
    readonly change: {
      readonly from: string;
      readonly to: string;
      readonly by: string;
      readonly reason?: string;
    };
  };
}

const { values } = parseArgs({
  options: {
    url: { type: "string", default: "nats://127.0.0.1:7422" },
    seed: { type: "string", default: ".trainyard/secrets/subscriber/nats.seed" },
    count: { type: "string", default: "0" },
    json: { type: "boolean", default: false },
  },
});

const seed = new TextEncoder().encode((await readFile(values.seed, "utf8")).trim());
const connection = await connect({
  servers: values.url,
  name: "on-promotion",
  authenticator: nkeyAuthenticator(seed),
  maxReconnectAttempts: -1,
});
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void connection.drain());

const subscription = connection.subscribe("trainyard.*.registry.model_version.stage_changed.v1.*");
await connection.flush();
if (!values.json) console.log("waiting for model versions to change their stage; Ctrl-C ends");

const seen = new Set<string>();
const wanted = Number(values.count);
for await (const message of subscription) {
  const event = message.json<StageChanged>();
  if (seen.has(event.id)) continue;
  seen.add(event.id);
  const { modelVersion, change } = event.data;
  const stage = (name: string) => name.replace("STAGE_", "").toLowerCase();
  console.log(
    values.json
      ? JSON.stringify(event)
      : `${event.time}  ${modelVersion.model} ${modelVersion.version}: ${stage(change.from)} → ${stage(change.to)} by ${change.by}`,
  );
  if (wanted > 0 && seen.size >= wanted) break;
}
await connection.close();
