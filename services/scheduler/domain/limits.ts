/** Limits of what a submission may ask for. Each is checked in `validateSpec` and named in the error that it causes. */

/** Processes of one gang. */
export const MAX_RANKS = 4096;
/** Slots that one rank may occupy on its node. */
export const MAX_SLOTS_PER_RANK = 64;
/** Retries of the user's own failures. */
export const MAX_RETRIES = 100;
/** Words of an entrypoint, the script included. */
export const MAX_ENTRYPOINT_WORDS = 256;
/** UTF-8 bytes of an interpreter's path. */
export const MAX_INTERPRETER_BYTES = 4096;
/** UTF-8 bytes of one entrypoint word. */
export const MAX_ENTRYPOINT_WORD_BYTES = 4096;
/** Environment variables a job may add. */
export const MAX_ENV_VARIABLES = 128;
/** UTF-8 bytes of one environment variable's value. */
export const MAX_ENV_VALUE_BYTES = 8192;
/** Labels of a job. */
export const MAX_LABELS = 64;
/** UTF-8 bytes of a label's value. */
export const MAX_LABEL_VALUE_BYTES = 256;
/** Bytes of the hyperparameters as JSON: they travel to every rank in an environment variable. */
export const MAX_PARAMS_BYTES = 64 * 1024;
/** Levels of nesting in the hyperparameters. */
export const MAX_PARAMS_DEPTH = 16;
/** Files placed into the attempt's directory. */
export const MAX_INPUTS = 256;
/** Bytes of the job file that is kept for the record. */
export const MAX_SOURCE_YAML_BYTES = 128 * 1024;
/** Longest limit on a job's running time: a year, in seconds. */
export const MAX_TIMEOUT_SECONDS = 366 * 24 * 60 * 60;
/** Checkpoints kept per run. */
export const MAX_CHECKPOINT_KEEP = 1000;
/** Bytes of everything in a spec but the job file: it is copied into the desired state of each node of the gang. */
export const MAX_SPEC_BYTES = 128 * 1024;
/** Characters of a client-chosen request id. */
export const MAX_REQUEST_ID_LENGTH = 128;
/** Characters of the reason given with a cancel. */
export const MAX_REASON_LENGTH = 1024;
/** Retries of one class of failure that a job may set. */
export const MAX_BUDGET = 1000;
/** Metrics whose NaN or infinity halts a run. */
export const MAX_WATCHED_METRICS = 32;
/** UTF-8 bytes of a metric's name. */
export const MAX_METRIC_KEY_BYTES = 512;
/** Seconds that a drain may leave the gangs of its node. */
export const MAX_DRAIN_SECONDS = 24 * 60 * 60;

/** Host paths that one job may read. */
export const MAX_DATA_PATHS = 32;
/** UTF-8 bytes of one of them. */
export const MAX_DATA_PATH_BYTES = 4096;

/** Secrets that one job may name. */
export const MAX_SECRETS = 64;
/** Bytes of one secret's value. */
export const MAX_SECRET_BYTES = 64 * 1024;

/** What a rank's own limits may be: less starts no rank, more is none. */
export const RANK_MEMORY_BYTES = { min: 16 * 1024 ** 2, max: 1024 ** 5 } as const;
export const RANK_PROCESSES = { min: 8, max: 4_194_304 } as const;
export const RANK_OPEN_FILES = { min: 64, max: 1_048_576 } as const;
