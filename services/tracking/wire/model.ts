import { create } from "@bufbuild/protobuf";
import { tracking } from "@trainyard/contracts";
import type { LoggedModel, TensorSpec } from "../domain/run-record.ts";
import { fileToProto, metricsToProto } from "./checkpoint-to-proto.ts";
import { filesFromProto, metricsFromProto } from "./from-proto.ts";
import { safeNumber } from "./numbers.ts";

/** A model as the wire has it. */
export function modelToProto(model: LoggedModel): tracking.LoggedModel {
  const { name, files, digest, framework, inputs, outputs, metrics, step } = model;
  return create(tracking.LoggedModelSchema, {
    name,
    files: files.map(fileToProto),
    digest,
    framework,
    signature: { inputs: inputs.map(tensorToProto), outputs: outputs.map(tensorToProto) },
    metrics: metricsToProto(metrics),
    step: BigInt(step),
  });
}

/** A model as it is reported: its digest is not taken from the wire. */
export function modelFromProto(model: tracking.LoggedModel): Omit<LoggedModel, "digest"> {
  return {
    name: model.name,
    files: filesFromProto("model.files", model.files),
    framework: model.framework,
    inputs: (model.signature?.inputs ?? []).map(tensorFromProto),
    outputs: (model.signature?.outputs ?? []).map(tensorFromProto),
    metrics: metricsFromProto("model.metrics", model.metrics),
    step: safeNumber("model.step", model.step, -1),
  };
}

function tensorToProto({ name, dtype, shape }: TensorSpec) {
  return { name, dtype, shape: shape.map(BigInt) };
}

function tensorFromProto({ name, dtype, shape }: tracking.TensorSpec): TensorSpec {
  return { name, dtype, shape: shape.map((size) => safeNumber("model.signature.shape", size, -1)) };
}
