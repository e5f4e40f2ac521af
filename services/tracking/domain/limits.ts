/** Points in one metric batch. */
export const MAX_POINTS_PER_BATCH = 65_536;
/** Different metric names in one batch. */
export const MAX_KEYS_PER_BATCH = 4_096;
/** Points in one stream of metric batches. */
export const MAX_POINTS_PER_STREAM = 1_000_000;
/** Characters of a metric's name that is logged by a call. */
export const MAX_KEY_CHARACTERS = 250;
/** UTF-8 bytes of a metric's name, as a rank's record file can hold it. */
export const MAX_KEY_BYTES = 512;
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
/** Characters of an experiment's owner. */
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
/** Characters of the name of a run, an experiment or a dataset input. */
export const MAX_TITLE_LENGTH = 500;
/** Characters of the key of a parameter or a tag. */
export const MAX_TEXT_KEY_LENGTH = 250;
/** UTF-8 bytes of a parameter's value, of a tag's, and of a Markdown text. */
export const MAX_PARAM_VALUE_BYTES = 6_000;
export const MAX_TAG_VALUE_BYTES = 8_000;
export const MAX_NOTE_BYTES = 65_536;
/** Parameters, or tags, in one call. */
export const MAX_TEXTS_PER_CALL = 1_000;
/** Parameters, or tags, of one run or experiment, and their UTF-8 bytes: they are part of one document and one answer. */
export const MAX_TEXTS_PER_RUN = 10_000;
export const MAX_TEXT_BYTES_PER_RUN = 524_288;
/** Datasets that a run was given, and what is told of each. */
export const MAX_INPUTS_PER_RUN = 100;
export const MAX_INPUT_DIGEST_LENGTH = 64;
export const MAX_INPUT_TEXT_BYTES = 65_535;
export const MAX_INPUT_SCHEMA_BYTES = 262_144;
export const MAX_INPUT_PROFILE_BYTES = 262_144;
/** UTF-8 bytes of all that is told of the datasets of one run. */
export const MAX_INPUT_BYTES_PER_RUN = 524_288;
/** Annotations of a run, and runs that one person marks. */
export const MAX_NOTES_PER_RUN = 10_000;
export const MAX_FAVOURITES = 1_000;
/** Seconds that an outside run may be silent, when it does not say and at most. */
export const DEFAULT_IDLE_LIMIT_SECONDS = 86_400;
export const MAX_IDLE_LIMIT_SECONDS = 31_536_000;
/** Runs of an experiment that outside clients may open, unless configured; those of jobs are always recorded. */
export const MAX_RUNS_PER_EXPERIMENT = 1_000_000;
/** Runs above a nested one: who goes up the line of parents must come to an end. */
export const MAX_NESTING = 100;
/** Parts of an upload that one call tells where to send. */
export const MAX_PARTS_PRESIGNED = 100;
/** Experiments that one search names. */
export const MAX_EXPERIMENTS_PER_SEARCH = 1_000;
/** Keys of metrics, parameters or tags that one search asks for by name. */
export const MAX_KEYS_PER_SEARCH = 1_000;
/** UTF-8 bytes of a histogram or table as JSON, or bytes of a picture, that one call logs; also what a preview reads whole. */
export const MAX_MEDIA_BYTES = 2 * 1024 * 1024;
/** Ranges of a histogram. */
export const MAX_HISTOGRAM_BINS = 1_024;
/** Rows and columns of a table that is logged. */
export const MAX_TABLE_ROWS = 10_000;
export const MAX_TABLE_COLUMNS = 100;
/** What a preview shows of a text, of a table and of anything else. */
export const MAX_PREVIEW_TEXT_BYTES = 65_536;
export const MAX_PREVIEW_ROWS = 100;
export const MAX_PREVIEW_BINARY_BYTES = 256;
