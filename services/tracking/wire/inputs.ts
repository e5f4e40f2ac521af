import { create } from "@bufbuild/protobuf";
import { tracking } from "@trainyard/contracts";
import type { DatasetInput } from "../domain/dataset-input.ts";
import { textsFromProto, textsToProto } from "./texts.ts";

/** A dataset that a run was given, as the wire has it. */
export function inputToProto({ tags, ...texts }: DatasetInput): tracking.DatasetInput {
  return create(tracking.DatasetInputSchema, { ...texts, tags: textsToProto(tags) });
}

/** A dataset of the wire; `assertInputs` checks it. */
export function inputFromProto(input: tracking.DatasetInput): DatasetInput {
  const { name, digest, sourceType, source, schema, profile, context, tags } = input;
  return { name, digest, sourceType, source, schema, profile, context, tags: textsFromProto(tags) };
}
