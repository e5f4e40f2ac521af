/** Points in one metric batch. */
export const MAX_POINTS_PER_BATCH = 65_536;
/** Different metric names in one batch. */
export const MAX_KEYS_PER_BATCH = 4_096;
/** UTF-8 bytes of a metric's name. */
export const MAX_KEY_BYTES = 256;
/** Bytes of output in one log batch. */
export const MAX_LOG_BATCH_BYTES = 1024 * 1024;
/** Bytes kept of one output of one rank in one attempt unless configured: its beginning and its end, half each. */
export const DEFAULT_LOG_LIMIT_BYTES = 64 * 1024 * 1024;
/** The least that may be configured: a batch at either end. */
export const MIN_LOG_LIMIT_BYTES = 4 * MAX_LOG_BATCH_BYTES;
/** Separate ranges kept of one output before more out-of-order ones have to wait for the gaps to fill. */
export const MAX_RANGES = 1_024;
/** Ranks in a gang. */
export const MAX_WORLD_SIZE = 4_096;
/** Files in one rank's part of a checkpoint. */
export const MAX_FILES_PER_PART = 1_000;
/** Files in a model. */
export const MAX_FILES_PER_MODEL = 256;
/** Metric values reported with a checkpoint or a model. */
export const MAX_REPORTED_METRICS = 256;
/** Characters of an experiment's description, and of its owner. */
export const MAX_DESCRIPTION_LENGTH = 4_096;
export const MAX_OWNER_LENGTH = 128;
/** Points that one call returns unless it asks for fewer; it cannot ask for more. */
export const MAX_HISTORY_POINTS = 100_000;
/** Checkpoints kept of a run that does not say. */
export const DEFAULT_CHECKPOINTS_KEPT = 3;
/** Checkpoint spans recorded of one run, so that a long run does not drown its own trace. */
export const MAX_CHECKPOINT_SPANS = 20;
/** Files of all parts of a checkpoint: it is one document, and one answer. */
export const MAX_FILES_PER_CHECKPOINT = 16_384;
/** Ranks whose number a message may name. */
export const MAX_RANK = MAX_WORLD_SIZE - 1;
/** Lines per rank that a read of the logs may begin with. */
export const MAX_TAIL_LINES = 10_000;
