import { isId } from "@trainyard/domain";
import type { DatasetInput } from "./dataset-input.ts";
import { invalidField, limitExceeded } from "./errors.ts";
import {
  MAX_INPUT_BYTES_PER_RUN,
  MAX_INPUT_DIGEST_LENGTH,
  MAX_INPUT_PROFILE_BYTES,
  MAX_INPUT_SCHEMA_BYTES,
  MAX_INPUT_TEXT_BYTES,
  MAX_INPUTS_PER_RUN,
  MAX_NOTE_BYTES,
  MAX_PARAM_VALUE_BYTES,
  MAX_TAG_VALUE_BYTES,
  MAX_TEXT_BYTES_PER_RUN,
  MAX_TEXT_KEY_LENGTH,
  MAX_TEXTS_PER_CALL,
  MAX_TEXTS_PER_RUN,
  MAX_TITLE_LENGTH,
} from "./limits.ts";
import type { NamedText } from "./named-text.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text).length;
const CONTROL = /\p{Cc}/u;

/** Throws unless one call may bring these parameters. */
export function assertParams(field: string, params: readonly NamedText[]): void {
  assertTexts(field, params, MAX_PARAM_VALUE_BYTES, "MAX_PARAM_VALUE_BYTES");
}

/** Throws unless one call may bring these tags. */
export function assertTags(field: string, tags: readonly NamedText[]): void {
  assertTexts(field, tags, MAX_TAG_VALUE_BYTES, "MAX_TAG_VALUE_BYTES");
}

function assertTexts(field: string, texts: readonly NamedText[], maxBytes: number, limit: string): void {
  if (texts.length > MAX_TEXTS_PER_CALL) {
    throw limitExceeded(field, "MAX_TEXTS_PER_CALL", MAX_TEXTS_PER_CALL, texts.length, "keys in a call");
  }
  for (const { key, value } of texts) {
    assertKey(field, key);
    assertBytes(`${field}[${JSON.stringify(key)}]`, value, maxBytes, limit);
  }
}

/** Throws unless a parameter, a tag or a metric may have this key. */
export function assertKey(field: string, key: string): void {
  if (key === "") throw invalidField(field, "a key has at least one character", "KEY_INVALID");
  if (key.length > MAX_TEXT_KEY_LENGTH) {
    const what = `characters in the key ${JSON.stringify(`${key.slice(0, 40)}…`)}`;
    throw limitExceeded(field, "MAX_TEXT_KEY_LENGTH", MAX_TEXT_KEY_LENGTH, key.length, what);
  }
  if (CONTROL.test(key) || !key.isWellFormed()) {
    throw invalidField(field, `the key ${JSON.stringify(key)} has a control character`, "KEY_INVALID");
  }
}

/** Throws when a record would have more texts than one document and one answer can hold. */
export function assertTotal(field: string, texts: readonly NamedText[]): void {
  if (texts.length > MAX_TEXTS_PER_RUN) {
    throw limitExceeded(field, "MAX_TEXTS_PER_RUN", MAX_TEXTS_PER_RUN, texts.length, "in all", "stored");
  }
  const bytes = texts.reduce((sum, { key, value }) => sum + bytesOf(key) + bytesOf(value), 0);
  if (bytes > MAX_TEXT_BYTES_PER_RUN) {
    throw limitExceeded(
      field,
      "MAX_TEXT_BYTES_PER_RUN",
      MAX_TEXT_BYTES_PER_RUN,
      bytes,
      "bytes in all",
      "stored",
    );
  }
}

/** Throws unless a person may name a run or a dataset so: anything that can be shown on one line. */
export function assertTitle(field: string, text: string): void {
  if (text.trim() === "")
    throw invalidField(field, "expected at least one visible character", "NAME_INVALID");
  assertLength(field, text, MAX_TITLE_LENGTH, "MAX_TITLE_LENGTH");
  if (CONTROL.test(text) || !text.isWellFormed()) {
    throw invalidField(field, "has a control character or is not valid Unicode", "NAME_INVALID");
  }
}

/** Throws unless an experiment may have this name. An id's form is not free: whoever names an experiment gives its id or its name. */
export function assertExperimentName(field: string, name: string): void {
  assertTitle(field, name);
  if (isId("exp", name)) {
    throw invalidField(field, `${name} has the form of an experiment's id`, "NAME_INVALID");
  }
}

/** Throws unless it may be a run's note, an annotation or an experiment's description. */
export function assertMarkdown(field: string, text: string): void {
  assertBytes(field, text, MAX_NOTE_BYTES, "MAX_NOTE_BYTES");
}

/** Throws unless a run may be given these datasets; `all` is what it would have then. */
export function assertInputs(
  field: string,
  given: readonly DatasetInput[],
  all: readonly DatasetInput[],
): void {
  for (const [index, input] of given.entries()) assertInput(`${field}[${index}]`, input);
  if (all.length > MAX_INPUTS_PER_RUN) {
    throw limitExceeded(field, "MAX_INPUTS_PER_RUN", MAX_INPUTS_PER_RUN, all.length, "in all", "stored");
  }
  const bytes = all.reduce((sum, input) => sum + bytesOf(JSON.stringify(input)), 0);
  if (bytes > MAX_INPUT_BYTES_PER_RUN) {
    throw limitExceeded(
      field,
      "MAX_INPUT_BYTES_PER_RUN",
      MAX_INPUT_BYTES_PER_RUN,
      bytes,
      "bytes in all",
      "stored",
    );
  }
}

function assertInput(field: string, input: DatasetInput): void {
  assertTitle(`${field}.name`, input.name);
  if (input.digest === "") throw invalidField(`${field}.digest`, "is required");
  assertLength(`${field}.digest`, input.digest, MAX_INPUT_DIGEST_LENGTH, "MAX_INPUT_DIGEST_LENGTH");
  assertLength(`${field}.source_type`, input.sourceType, MAX_TITLE_LENGTH, "MAX_TITLE_LENGTH");
  assertLength(`${field}.context`, input.context, MAX_TITLE_LENGTH, "MAX_TITLE_LENGTH");
  assertBytes(`${field}.source`, input.source, MAX_INPUT_TEXT_BYTES, "MAX_INPUT_TEXT_BYTES");
  assertBytes(`${field}.schema`, input.schema, MAX_INPUT_SCHEMA_BYTES, "MAX_INPUT_SCHEMA_BYTES");
  assertBytes(`${field}.profile`, input.profile, MAX_INPUT_PROFILE_BYTES, "MAX_INPUT_PROFILE_BYTES");
  assertTags(`${field}.tags`, input.tags);
}

function assertLength(field: string, text: string, maximum: number, limit: string): void {
  if (text.length > maximum) throw limitExceeded(field, limit, maximum, text.length, "characters");
}

function assertBytes(field: string, text: string, maximum: number, limit: string): void {
  const bytes = bytesOf(text);
  if (bytes > maximum) throw limitExceeded(field, limit, maximum, bytes, "bytes");
}
