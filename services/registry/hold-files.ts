import { type BlobStore, holderName } from "@trainyard/blob";
import type { ModelRepository } from "./store/model-repository.ts";
import type { VersionFiles } from "./store/unsettled-files.ts";

/** Pins have an end; this is longer than anybody keeps a version. */
const REFERENCE_TTL_MS = 100 * 365 * 24 * 60 * 60 * 1000;

/** What of a version tells which files are held, and in whose name. */
type HeldVersion = Omit<VersionFiles, "id">;

/** Keeps versions' files, whatever becomes of the runs that made them. */
export interface FileHolds {
  /** To be called before the version is registered. */
  hold(version: HeldVersion): Promise<void>;
  /**
   * Holds those of the version's files that it, if it is there, or another one in the same name has, and gives up the rest. To
   * be called when it has been registered or removed; how often and in which order makes no difference. When it has resolved,
   * the version is no longer noted as unsettled.
   */
  settle(version: VersionFiles): Promise<void>;
}

/**
 * Holds files in this blob store, in the name of the run or logged model: a registration that runs again leaves no second pin. That they
 * are there need not be asked, for that still holds them.
 */
export function fileHolds(
  blobs: BlobStore,
  repository: Pick<ModelRepository, "versionsOfSource" | "unsettled">,
): FileHolds {
  async function hold(version: HeldVersion): Promise<void> {
    const pin = { holder: holderOf(version), ttlMs: REFERENCE_TTL_MS };
    await Promise.all(version.files.map(({ digest }) => blobs.pin(digest, pin)));
  }

  return {
    hold,
    async settle(version) {
      const noted = await repository.unsettled.find(version.id);
      const kept = await digestsOf(repository, version);
      await hold({ ...version, files: version.files.filter(({ digest }) => kept.has(digest)) });
      const gone = version.files.filter(({ digest }) => !kept.has(digest));
      await Promise.all(gone.map(({ digest }) => blobs.unpin(digest, holderOf(version))));
      // Who registered one meanwhile may have held its files before this gave them up.
      const taken = await digestsOf(repository, version);
      await hold({ ...version, files: gone.filter(({ digest }) => taken.has(digest)) });
      if (noted !== undefined) await repository.unsettled.settled(noted);
    },
  };
}

function holderOf({ project, origin, loggedModelId }: HeldVersion): string {
  return holderName({ kind: "model", project, id: origin.runId || (loggedModelId ?? "") });
}

async function digestsOf(
  repository: Pick<ModelRepository, "versionsOfSource">,
  version: HeldVersion,
): Promise<ReadonlySet<string>> {
  const versions = await repository.versionsOfSource(version);
  return new Set(versions.flatMap(({ files }) => files.map(({ digest }) => digest)));
}
