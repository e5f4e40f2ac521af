import { clone, fromJson } from "@bufbuild/protobuf";
import { tracking } from "@trainyard/contracts";
import { isDomainError } from "@trainyard/domain";
import { asDomainError } from "../client/as-domain-error.ts";
import { downloadBlob, downloadSmallBlob } from "../client/download-blob.ts";
import type { Session } from "../session.ts";
import { type CodeFiles, codeFilesOf, textOf } from "./code-files.ts";
import { environmentPath } from "./run-facts.ts";

/** What imports keep a run's code bundle and uncommitted changes under. */
export const codePath = "trainyard/code.tgz";
export const changesPath = "trainyard/changes.diff";
/** What a bundle's import keeps the run's whole record under, as it was where it ran. */
export const originPath = "trainyard/run.json";

const maxOriginBytes = 64 * 1024 * 1024;
const maxEnvironmentBytes = 4 * 1024 * 1024;
const maxChangesBytes = 16 * 1024 * 1024;

/** A run with the artifacts that tell of its origin. */
export interface LoadedRun {
  readonly run: tracking.Run;
  readonly artifacts: ReadonlyMap<string, tracking.Artifact>;
}

/** Reads a run and the list of its artifacts. */
export async function loadRun(session: Session, id: string): Promise<LoadedRun> {
  const { tracking: client } = await session.clients();
  const { run } = await client.getRun({ runId: id });
  if (run === undefined) throw new Error("tracking answered without a run");
  const { artifacts } = await client.listArtifacts({ runId: run.id });
  const byPath = new Map(artifacts.map((one) => [one.path, one]));
  return { run: await withOrigin(session, run, byPath.get(originPath)), artifacts: byPath };
}

/** An imported run with what only its record from elsewhere tells: its job, dataset, attempts, checkpoint and model. */
async function withOrigin(
  session: Session,
  run: tracking.Run,
  origin: tracking.Artifact | undefined,
): Promise<tracking.Run> {
  if (origin === undefined || run.jobId !== "") return run;
  try {
    const text = (await downloadSmallBlob(session.address, origin.digest, maxOriginBytes)).toString("utf8");
    const told = fromJson(tracking.RunSchema, JSON.parse(text), { ignoreUnknownFields: true });
    const { spec, dataset, attempts, latestCheckpoint, model, failure } = told;
    return clone(tracking.RunSchema, {
      ...run,
      attempts,
      ...(spec === undefined ? {} : { spec }),
      ...(dataset === undefined ? {} : { dataset }),
      ...(latestCheckpoint === undefined ? {} : { latestCheckpoint }),
      ...(model === undefined ? {} : { model }),
      ...(failure === undefined ? {} : { failure }),
    });
  } catch (error) {
    // An artifact of that name that is something else: the run has no more to tell than itself.
    if (isDomainError(error) && !isUnusable(error)) throw error;
    return run;
  }
}

/** What the run kept of what it ran on and with; undefined when it kept nothing that can be read. */
export async function environmentOf(session: Session, { artifacts }: LoadedRun): Promise<unknown> {
  const artifact = artifacts.get(environmentPath);
  if (artifact === undefined) return undefined;
  try {
    const bytes = await downloadSmallBlob(session.address, artifact.digest, maxEnvironmentBytes);
    return JSON.parse(bytes.toString("utf8"));
  } catch (error) {
    if (error instanceof SyntaxError || isUnusable(error)) return undefined;
    throw error;
  }
}

/** Digest of a run's code bundle; undefined for a run that kept none. */
export function codeDigestOf({ run, artifacts }: LoadedRun): string | undefined {
  const digest = run.spec?.code?.digest ?? "";
  return digest === "" ? artifacts.get(codePath)?.digest : digest;
}

/** The files of a run's code; none for a run without code. */
export async function codeOf(session: Session, loaded: LoadedRun): Promise<CodeFiles | undefined> {
  const digest = codeDigestOf(loaded);
  return digest === undefined ? undefined : codeFilesOf(downloadBlob(session.address, digest));
}

/** The uncommitted changes a run was submitted with, as text; empty when there were none. */
export async function changesOf(session: Session, { run, artifacts }: LoadedRun): Promise<string> {
  const digest = run.spec?.code?.dirtyDiffDigest || artifacts.get(changesPath)?.digest;
  if (digest === undefined) return "";
  const bytes = await downloadSmallBlob(session.address, digest, maxChangesBytes);
  return textOf(bytes) ?? "";
}

function isUnusable(error: unknown): boolean {
  const known = isDomainError(error) ? error : asDomainError(error, undefined);
  return known?.code === "not_found" || known?.code === "resource_exhausted";
}
