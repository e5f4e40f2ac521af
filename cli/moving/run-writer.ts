import { createHash, randomUUID } from "node:crypto";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { tracking } from "@trainyard/contracts";
import { assertArtifactPath, isDomainError } from "@trainyard/domain";
import { asDomainError } from "../client/as-domain-error.ts";
import type { Clients } from "../client/clients.ts";
import type { PlatformAddress } from "../client/find-platform.ts";
import { retryUnavailable } from "../client/retry.ts";
import { type BlobSource, uploadBlob } from "../client/upload-blob.ts";
import { entryProblem, maxEntriesPerCall, maxParamBytes, maxTagBytes } from "./limits.ts";
import type { PointColumns } from "./points.ts";
import type { Problems } from "./problems.ts";

/** Where a run that was not begun here comes from. Together they name one run for good. */
export interface RunSource {
  /** "offline", "bundle" or "mlflow". */
  readonly kind: string;
  readonly runId: string;
}

/** What a run begins with. */
export interface NewRun {
  readonly source: RunSource;
  readonly experiment: string;
  readonly name: string;
  readonly startedAtMs: number | undefined;
  readonly parentRunId?: string;
  readonly idleLimitSeconds: number;
}

/** The tags by which a run tells where it comes from. */
export const sourceKindTag = "trainyard.source.kind";
export const sourceRunTag = "trainyard.source.run_id";
/** Says what of its source an imported run holds whole; while it is right, nothing is to be done. */
export const completeTag = "trainyard.source.complete";

/** A run's tags but for what they say of where it came from in its turn: here it comes from where it is taken now. */
export function withoutSource(tags: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(tags).filter(([key]) => !key.startsWith("trainyard.source.")));
}

/**
 * Writes what was recorded elsewhere into runs of the platform. Every call may be repeated: its request id follows from
 * what it writes. What the platform does not take is told in `problems` and leaves the rest as it is.
 */
export class RunWriter {
  readonly #clients: Clients;
  readonly #address: PlatformAddress;
  readonly #problems: Problems;

  constructor(clients: Clients, address: PlatformAddress, problems: Problems) {
    this.#clients = clients;
    this.#address = address;
    this.#problems = problems;
  }

  /** The runs that were made of a source before, deleted ones too, newest first. */
  async #found({ kind, runId }: RunSource): Promise<tracking.Run[]> {
    const filter = `tags."${sourceRunTag}" = '${runId}' AND tags."${sourceKindTag}" = '${kind}'`;
    const { runs } = await retryUnavailable(() =>
      this.#clients.runs.searchRuns({
        filter,
        view: tracking.LifecycleView.ALL,
        page: { pageSize: 100 },
        fields: { allTags: true, allMetrics: true },
      }),
    );
    return runs;
  }

  /** Opens the run of a source, RUNNING; the same one when it was opened before and not deleted since. */
  async open(run: NewRun): Promise<{ readonly run: tracking.Run; readonly isNew: boolean }> {
    const before = await this.#found(run.source);
    const known = before.find(({ lifecycle }) => lifecycle !== tracking.Lifecycle.DELETED);
    if (known !== undefined) return { run: known, isNew: false };
    const { source, startedAtMs } = run;
    const response = await retryUnavailable(() =>
      this.#clients.runs.createRun({
        // A deleted run's request is not repeated: it would be answered with the deleted run.
        requestId: requestId("open", source.kind, source.runId, String(before.length)),
        experiment: run.experiment,
        name: run.name,
        tags: { [sourceKindTag]: source.kind, [sourceRunTag]: source.runId },
        parentRunId: run.parentRunId ?? "",
        idleLimitSeconds: BigInt(run.idleLimitSeconds),
        ...(startedAtMs === undefined ? {} : { startedAt: timestampFromMs(Math.round(startedAtMs)) }),
      }),
    );
    if (response.run === undefined) throw new Error("tracking answered without a run");
    return { run: response.run, isNew: true };
  }

  async params(runId: string, params: Readonly<Record<string, string>>): Promise<void> {
    for (const chunk of this.#chunks("parameter", params, maxParamBytes)) {
      try {
        const request = { requestId: randomUUID(), runId, params: chunk };
        await retryUnavailable(() => this.#clients.runs.logParams(request));
      } catch (error) {
        if (!isRefusal(error)) throw error;
        // All or none: one by one, so that the one that differs keeps no other out.
        for (const [key, value] of Object.entries(chunk))
          await this.#orTell(`parameter ${key}`, () =>
            this.#clients.runs.logParams({ requestId: randomUUID(), runId, params: { [key]: value } }),
          );
      }
    }
  }

  async tags(runId: string, tags: Readonly<Record<string, string>>): Promise<void> {
    for (const chunk of this.#chunks("tag", tags, maxTagBytes))
      await this.#orTell(`tags ${Object.keys(chunk).slice(0, 5).join(", ")}`, () =>
        this.#clients.runs.setRunTags({ requestId: randomUUID(), runId, tags: chunk }),
      );
  }

  /** Stores points; the same `of` again stores nothing. Gives how many were stored now. */
  async points(runId: string, points: PointColumns, ...of: readonly string[]): Promise<number> {
    if (points.values.length === 0) return 0;
    const { stored } = await retryUnavailable(() =>
      this.#clients.metrics.logMetrics({ requestId: requestId("points", runId, ...of), runId, points }),
    );
    return Number(stored);
  }

  /** Keeps a file with the run, unless its path is none that an artifact can have. Gives whether it is kept. */
  async artifact(runId: string, path: string, blob: BlobSource): Promise<boolean> {
    const name = path.normalize("NFC");
    return this.#orTell(`file ${JSON.stringify(path.slice(0, 200))}`, async () => {
      assertArtifactPath("path", name);
      await retryUnavailable(() => uploadBlob(this.#address, blob));
      await this.#clients.artifacts.putArtifact({
        requestId: requestId("file", runId, name, blob.digest),
        runId,
        path: name,
        digest: blob.digest,
        sizeBytes: BigInt(blob.sizeBytes),
      });
    });
  }

  /** Keeps bytes at hand as a file of the run. */
  bytes(runId: string, path: string, bytes: Uint8Array): Promise<boolean> {
    const digest = createHash("sha256").update(bytes).digest("hex");
    return this.artifact(runId, path, { digest, sizeBytes: bytes.length, content: { bytes } });
  }

  /** Gives the run its status: final with its end, or RUNNING again. */
  async status(runId: string, status: tracking.RunStatus, endedAtMs?: number): Promise<void> {
    const requestId = randomUUID();
    await retryUnavailable(() =>
      this.#clients.runs.updateRun({
        requestId,
        runId,
        status,
        ...(endedAtMs === undefined ? {} : { endedAt: timestampFromMs(Math.round(endedAtMs)) }),
      }),
    );
  }

  /** Adds a note in the caller's name; the same `of` again adds none. */
  async annotation(
    runId: string,
    { text, step, key }: { readonly text: string; readonly step?: number | undefined; readonly key: string },
    ...of: readonly string[]
  ): Promise<void> {
    const place = step === undefined ? {} : { step: BigInt(step), key };
    const id = requestId("note", runId, text, ...of, ...(step === undefined ? [] : [String(step), key]));
    await this.#orTell("a note", () => this.#clients.runs.addNote({ requestId: id, runId, text, ...place }));
  }

  async note(runId: string, note: string): Promise<void> {
    if (note !== "")
      await this.#orTell("the note", () =>
        this.#clients.runs.updateRun({ requestId: randomUUID(), runId, note }),
      );
  }

  *#chunks(
    what: string,
    entries: Readonly<Record<string, string>>,
    maxBytes: number,
  ): Generator<Record<string, string>> {
    const taken = Object.entries(entries).filter(([key, value]) => {
      const problem = entryProblem(key, value, maxBytes);
      if (problem !== undefined) this.#problems.add(`${what} ${JSON.stringify(key.slice(0, 80))}`, problem);
      return problem === undefined;
    });
    for (let at = 0; at < taken.length; at += maxEntriesPerCall)
      yield Object.fromEntries(taken.slice(at, at + maxEntriesPerCall));
  }

  /** Does it; what the platform refuses is told as a problem, everything else is thrown. */
  async #orTell(what: string, act: () => Promise<unknown>): Promise<boolean> {
    try {
      await retryUnavailable(act);
      return true;
    } catch (error) {
      if (!isRefusal(error)) throw error;
      this.#problems.add(what, asDomainError(error, this.#address.url)?.message ?? String(error));
      return false;
    }
  }
}

/** A request id that follows from what is asked: the same words give the same id. */
export function requestId(...words: readonly string[]): string {
  return createHash("sha256").update(words.join("\0")).digest("hex");
}

/** Whether the platform refused this one thing; not that it is away, or that the caller may do nothing. */
function isRefusal(error: unknown): boolean {
  const code = (isDomainError(error) ? error : asDomainError(error, undefined))?.code;
  return (
    code === "invalid_argument" ||
    code === "already_exists" ||
    code === "failed_precondition" ||
    code === "resource_exhausted"
  );
}
