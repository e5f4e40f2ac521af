import { clone, create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { scheduler } from "@trainyard/contracts";
import { assertName, DomainError } from "@trainyard/domain";
import { actorOf, mutate, pageQuery, principalOf } from "@trainyard/service";
import { decodePageToken, encodePageToken, type Store } from "@trainyard/store";
import { MAX_SECRET_BYTES } from "../domain/limits.ts";
import type { SecretBox } from "../secret-box.ts";
import type { Jobs } from "../store/jobs.ts";
import type { SecretInfo, Secrets } from "../store/secrets.ts";
import { projectOf } from "./scope.ts";

/** What the secrets' RPCs need. */
export interface SecretDeps {
  readonly store: Store;
  readonly jobs: Jobs;
  readonly secrets: Secrets;
  readonly secretBox: SecretBox;
}

/** The secrets' RPCs. */
export function secretService(deps: SecretDeps): ServiceImpl<typeof scheduler.SecretService> {
  return {
    putSecret: (request, context) => putSecret(deps, request, context),
    listSecrets: (request, context) => listSecrets(deps, request, context),
    deleteSecret: (request, context) => deleteSecret(deps, request, context),
    fetchSecrets: (request, context) => fetchSecrets(deps, request, context),
  };
}

async function putSecret(
  { store, secrets, secretBox }: SecretDeps,
  request: scheduler.PutSecretRequest,
  context: HandlerContext,
): Promise<scheduler.PutSecretResponse> {
  const project = projectOf(principalOf(context), request.project);
  assertName("name", request.name);
  assertValue(request.value);
  // The request is remembered by a hash, from which a short value could be guessed: its place is taken by what needs the key.
  const remembered = clone(scheduler.PutSecretRequestSchema, request);
  remembered.value = secretBox.fingerprint(request.value);
  const { name, value } = request;
  return mutate(store, remembered, context, scheduler.PutSecretResponseSchema, async (tx, principal) => {
    const secret = await secrets.put(tx, { project, name, value, by: actorOf(principal), at: new Date() });
    return create(scheduler.PutSecretResponseSchema, { secret: secretToProto(secret) });
  });
}

function assertValue(value: Uint8Array): void {
  if (value.length > 0 && value.length <= MAX_SECRET_BYTES) return;
  const description = `expected 1 to ${MAX_SECRET_BYTES} bytes, got ${value.length}`;
  throw new DomainError("invalid_argument", "SECRET_VALUE_INVALID", `value: ${description}.`, {
    violations: [{ field: "value", description }],
  });
}

async function listSecrets(
  { secrets }: SecretDeps,
  request: scheduler.ListSecretsRequest,
  context: HandlerContext,
): Promise<scheduler.ListSecretsResponse> {
  const project = projectOf(principalOf(context), request.project);
  const { size } = pageQuery(request.page);
  const after = decodePageToken(request.page?.pageToken ?? "", { project });
  const found = await secrets.list(project, typeof after === "string" ? after : "", size + 1);
  const page = found.slice(0, size);
  const last = page.at(-1);
  const nextPageToken =
    last !== undefined && found.length > size ? encodePageToken({ project }, last.name) : "";
  return create(scheduler.ListSecretsResponseSchema, {
    secrets: page.map(secretToProto),
    page: { nextPageToken },
  });
}

async function deleteSecret(
  { store, secrets }: SecretDeps,
  request: scheduler.DeleteSecretRequest,
  context: HandlerContext,
): Promise<scheduler.DeleteSecretResponse> {
  const project = projectOf(principalOf(context), request.project);
  return mutate(store, request, context, scheduler.DeleteSecretResponseSchema, async (tx) => {
    if (!(await secrets.remove(tx, project, request.name))) throw secretNotFound(project, [request.name]);
    return create(scheduler.DeleteSecretResponseSchema);
  });
}

/** Values leave only towards a node on which the job is placed at this moment. */
async function fetchSecrets(
  { jobs, secrets }: SecretDeps,
  { jobId, attempt }: scheduler.FetchSecretsRequest,
  context: HandlerContext,
): Promise<scheduler.FetchSecretsResponse> {
  const { name: nodeId } = principalOf(context);
  const job = await jobs.find(jobId);
  const current = job?.attempts.at(-1);
  const isHere =
    current?.number === attempt &&
    current.state !== "ended" &&
    current.placements.some((one) => one.nodeId === nodeId);
  if (job === undefined || !isHere) {
    throw new DomainError(
      "permission_denied",
      "ATTEMPT_NOT_HERE",
      `Attempt ${attempt} of job ${JSON.stringify(jobId.slice(0, 80))} is not placed on node "${nodeId}".`,
    );
  }
  const names = [...new Set((job.spec.secrets ?? []).map(({ name }) => name))];
  const values = await secrets.values(job.project, names);
  const missing = names.filter((name) => !values.has(name));
  if (missing.length > 0) throw secretNotFound(job.project, missing);
  return create(scheduler.FetchSecretsResponseSchema, { values: Object.fromEntries(values) });
}

function secretNotFound(project: string, names: readonly string[]): DomainError {
  return new DomainError(
    "not_found",
    "SECRET_NOT_FOUND",
    `There is no secret ${names.map((name) => JSON.stringify(name.slice(0, 128))).join(", ")} in project "${project}". "trainyard secrets list" lists them.`,
  );
}

function secretToProto(secret: SecretInfo): MessageInitShape<typeof scheduler.SecretSchema> {
  const { name, project, version, setBy, setAt, createdAt } = secret;
  return {
    name,
    project,
    version: BigInt(version),
    setBy,
    setAt: timestampFromDate(setAt),
    createdAt: timestampFromDate(createdAt),
  };
}
