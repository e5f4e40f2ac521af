import { create } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import { assertDigest } from "@trainyard/blob";
import { dataset } from "@trainyard/contracts";
import { assertName, newId, parseSemver } from "@trainyard/domain";
import { crashPoint } from "@trainyard/failpoint";
import { actorOf, mutate, principalOf, projectOf, requestId } from "@trainyard/service";
import type { Tx } from "@trainyard/store";
import { withSpan } from "@trainyard/telemetry";
import { MongoServerError } from "mongodb";
import { contractHash } from "../contract/digests.ts";
import { parseContract } from "../contract/parse-contract.ts";
import type { DatasetVersion } from "../domain/dataset-version.ts";
import { chooseVersion, existingVersion } from "../domain/next-version.ts";
import { emitState } from "../events.ts";
import { type HeldBlobs, holdBlobs } from "../register/held-blobs.ts";
import { manifestBytes } from "../register/manifest.ts";
import { newVersion, type Registration } from "../register/new-version.ts";
import { type Prepared, prepareVersion } from "../register/prepare-version.ts";
import type { DatasetParts } from "./deps.ts";
import { assertText, formatFromProto } from "./from-proto.ts";
import { versionToProto } from "./to-proto.ts";

/** How often a registration is tried again when others register versions of the same dataset at the same moment. */
const TRIES = 20;

/** Thrown inside the transaction when the answer is not known and the work, which takes long, is still to be done. */
class NotPreparedYet extends Error {}

/** Thrown inside the transaction when the version's name is settled, and its manifest, which holds it, is still to be stored. */
class NoManifestYet extends Error {
  readonly version: string;
  constructor(version: string) {
    super(`version ${version} has no manifest yet`);
    this.version = version;
  }
}

/** What is done outside the transaction, as far as it is done. */
interface Work {
  prepared?: Prepared;
  manifest?: { readonly version: string; readonly digest: string };
}

/** Validates, splits and shards a file, and commits the result as a version with its event and the answer to the request. */
export async function register(
  parts: DatasetParts,
  request: dataset.RegisterDatasetVersionRequest,
  context: HandlerContext,
): Promise<dataset.RegisterDatasetVersionResponse> {
  requestId(request.requestId);
  const asked = registrationFromProto(request, context);
  const held = holdBlobs(parts.blobs, asked.project, asked.name, asked.identity);
  return withSpan("dataset", "register", { attributes: { "trainyard.dataset": asked.name } }, async () => {
    const work: Work = {};
    const id = newId("dsv");
    for (let tries = 1; ; tries++) {
      try {
        const answer = await mutate(
          parts.store,
          request,
          context,
          dataset.RegisterDatasetVersionResponseSchema,
          async (tx) => {
            const version = await commit(parts, asked, work, id, tx);
            return create(dataset.RegisterDatasetVersionResponseSchema, {
              datasetVersion: versionToProto(version),
            });
          },
        );
        crashPoint("dataset.register.committed");
        await held.release(digestsOf(asked, work));
        return answer;
      } catch (error) {
        if (error instanceof NotPreparedYet) {
          work.prepared = await prepare(parts, asked, held, context.signal);
        } else if (error instanceof NoManifestYet) {
          work.manifest = await storeManifest(parts, asked, work.prepared, held, error.version);
        } else if (!isTakenMeanwhile(error) || tries >= TRIES) throw error;
      }
    }
  });
}

function registrationFromProto(
  request: dataset.RegisterDatasetVersionRequest,
  context: HandlerContext,
): Registration {
  assertName("name", request.name);
  if (request.version !== "") parseSemver(request.version);
  assertDigest("source_digest", request.sourceDigest);
  assertText("description", request.description);
  const contract = parseContract(request.contractYaml, request.name);
  return {
    project: projectOf(context),
    name: request.name,
    wanted: request.version,
    identity: {
      contentHash: request.sourceDigest,
      contractHash: contractHash(contract.contract),
      format: formatFromProto(request.format),
    },
    contract,
    description: request.description,
    createdBy: actorOf(principalOf(context)),
  };
}

async function prepare(
  parts: DatasetParts,
  asked: Registration,
  held: HeldBlobs,
  signal: AbortSignal,
): Promise<Prepared> {
  const { contentHash: digest, format } = asked.identity;
  const { contract } = asked.contract;
  const prepared = await prepareVersion(parts, { digest, format, contract, held }, signal);
  await held.keep(digestsOf(asked, { prepared }));
  return prepared;
}

async function storeManifest(
  { blobs }: DatasetParts,
  asked: Registration,
  prepared: Prepared | undefined,
  held: HeldBlobs,
  version: string,
) {
  if (prepared === undefined) throw new Error("a version is named only after its file was read");
  const { name, contract } = asked;
  const target = contract.contract.target ?? "";
  const bytes = manifestBytes({ ...prepared, name, version, target });
  const { digest } = await blobs.put(bytes, { pin: held.workPin });
  await held.keep([digest]);
  return { version, digest };
}

function digestsOf({ identity }: Registration, { prepared, manifest }: Work): readonly string[] {
  const shards = prepared?.splits.flatMap((split) => split.shards.map(({ digest }) => digest)) ?? [];
  return [identity.contentHash, ...shards, ...(manifest === undefined ? [] : [manifest.digest])];
}

/** Decides, in the transaction, what the registration is: a version there is already, or a new one. */
async function commit(
  { repository }: DatasetParts,
  asked: Registration,
  { prepared, manifest }: Work,
  id: string,
  tx: Tx,
): Promise<DatasetVersion> {
  const known = await repository.known(asked, tx);
  const existing = existingVersion(known, asked.identity, asked.wanted);
  if (existing !== undefined) return stored(await repository.findVersion(asked, existing.id, tx));
  if (prepared === undefined) throw new NotPreparedYet();
  const choice = chooseVersion(known, { ...asked.identity, schemaHash: prepared.schemaHash }, asked.wanted);
  if (choice.kind === "existing") return stored(await repository.findVersion(asked, choice.id, tx));
  const { passed } = prepared.report;
  if (passed && manifest?.version !== choice.version) throw new NoManifestYet(choice.version);
  const createdAt = new Date();
  const number = await repository.count(asked, asked.createdBy, createdAt, tx);
  const version = newVersion(asked, prepared, {
    id,
    number,
    version: choice.version,
    manifestDigest: passed ? (manifest?.digest ?? "") : "",
    createdAt,
  });
  await repository.insert(version, tx);
  await emitState(tx, version, asked.createdBy);
  return version;
}

function stored(version: DatasetVersion | undefined): DatasetVersion {
  if (version === undefined) throw new Error("a version vanished inside a transaction");
  return version;
}

/** Somebody else's first version, or one of the same name, was committed after this transaction had looked. */
function isTakenMeanwhile(error: unknown): boolean {
  return error instanceof MongoServerError && error.code === 11000;
}
