import type { BlobStore } from "@trainyard/blob";
import type { Store } from "@trainyard/store";
import type { Logger } from "@trainyard/telemetry";
import type { RetentionPolicy } from "./domain/retention.ts";
import type { CallJournal } from "./journal/call-journal.ts";
import type { RunRoom } from "./operations/run-room.ts";
import type { Turns } from "./operations/turns.ts";
import type { RunSignals } from "./run-signals.ts";
import type { Records } from "./store/records.ts";

/** What everything in this service works with. */
export interface Deps {
  readonly store: Store;
  readonly records: Records;
  readonly blobs: BlobStore;
  /** Largest file that may be uploaded. */
  readonly blobMaxBytes: number;
  /** By which the platform collects what nobody needs any more. */
  readonly retention: RetentionPolicy;
  /** How long after a run's end its outputs are moved into the blob store. */
  readonly archiveLogsAfterMs: number;
  readonly runRoom: RunRoom;
  /** Of calls that change one run. */
  readonly turns: Turns;
  readonly signals: RunSignals;
  readonly journal: CallJournal;
  readonly logger: Logger;
  readonly now: () => Date;
}
