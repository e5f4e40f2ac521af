/**
 * Submits a job and follows it with an ordinary gRPC client: @grpc/grpc-js and the proto files, nothing of the platform's
 * own code. Any language with gRPC can do the same.
 *
 *   TRAINYARD_TOKEN=… node main.ts --url http://127.0.0.1:7070 --ranks 2 -- FOLDER SCRIPT [ARGUMENTS]
 *
 * 1. The folder is packed and uploaded by HTTP to /api/v1/blobs/<sha-256>; a bundle that is there already is not sent again.
 * 2. SchedulerService.SubmitJob accepts the job; the request id makes a repeated call harmless.
 * 3. SchedulerService.WatchJob streams the job until it has ended. The exit code is 0 when it succeeded.
 */
import { createHash, randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { credentials, loadPackageDefinition, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { create } from "tar";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    url: { type: "string", default: process.env.TRAINYARD_URL ?? "http://127.0.0.1:7070" },
    ranks: { type: "string", default: "1" },
    framework: { type: "string", default: "FRAMEWORK_TORCH" },
    name: { type: "string", default: "submit-grpc" },
  },
});
const [folder, ...entrypoint] = positionals;
const token = process.env.TRAINYARD_TOKEN;
if (folder === undefined || entrypoint.length === 0 || token === undefined) {
  console.error("usage: TRAINYARD_TOKEN=… node main.ts [--url URL] [--ranks N] -- FOLDER SCRIPT [ARGUMENTS]");
  process.exit(2);
}

const chunks: Buffer[] = [];
for await (const chunk of create({ cwd: folder, gzip: true, portable: true }, ["."]))
  chunks.push(Buffer.from(chunk));
const bundle = Buffer.concat(chunks);
const digest = createHash("sha256").update(bundle).digest("hex");
const uploaded = await fetch(new URL(`/api/v1/blobs/${digest}`, values.url), {
  method: "PUT",
  headers: { authorization: `Bearer ${token}`, "content-type": "application/octet-stream" },
  body: bundle,
});
if (!uploaded.ok) fail(`the upload was answered with ${uploaded.status}: ${await uploaded.text()}`);

/** What this program reads of a job; proto-loader gives plain objects in the shape of the proto files. */
interface Job {
  readonly id: string;
  readonly runId: string;
  readonly state: string;
  readonly pending: { readonly message: string } | null;
  readonly failure: { readonly message: string; readonly tracebackTail: string } | null;
}
interface SchedulerClient {
  SubmitJob(
    request: unknown,
    metadata: Metadata,
    done: (error: ServiceError | null, response: { readonly job: Job }) => void,
  ): void;
  WatchJob(request: unknown, metadata: Metadata): AsyncIterable<{ readonly job: Job }>;
}
type SchedulerConstructor = new (address: string, credentials: unknown) => SchedulerClient;

const definition = loadSync("trainyard/scheduler/v1/scheduler.proto", {
  includeDirs: [fileURLToPath(new URL("../../../proto", import.meta.url))],
  enums: String,
  longs: Number,
  defaults: true,
});
// grpc-js builds the client class at run time, so its type has to be told.
const root = loadPackageDefinition(definition) as unknown as {
  readonly trainyard: {
    readonly scheduler: { readonly v1: { readonly SchedulerService: SchedulerConstructor } };
  };
};
const client = new root.trainyard.scheduler.v1.SchedulerService(
  new URL(values.url).host,
  credentials.createInsecure(),
);
const metadata = new Metadata();
metadata.set("authorization", `Bearer ${token}`);

const request = {
  requestId: randomUUID(),
  spec: {
    name: values.name,
    ranks: Number(values.ranks),
    framework: values.framework,
    code: { digest, sizeBytes: bundle.length },
    entrypoint,
  },
};
const { job } = await new Promise<{ readonly job: Job }>((resolve) => {
  client.SubmitJob(request, metadata, (error, response) =>
    // The details say what was wrong and what to do; more, such as the field, is in the status details.
    error === null ? resolve(response) : fail(`${status[error.code]}: ${error.details}`),
  );
});
console.log(`${job.id} accepted, run ${job.runId}`);

let last = "";
let final: Job = job;
for await (const { job: now } of client.WatchJob({ jobId: job.id }, metadata)) {
  final = now;
  const line = `${now.state.replace("JOB_STATE_", "").toLowerCase()}${now.pending ? `: ${now.pending.message}` : ""}`;
  if (line !== last) console.log(line);
  last = line;
}
if (final.state === "JOB_STATE_SUCCEEDED") process.exit(0);
fail([final.failure?.tracebackTail, final.failure?.message].filter(Boolean).join("\n"));

function fail(message: string): never {
  console.error(message);
  process.exit(1);
}
