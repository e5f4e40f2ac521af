import { toBinary } from "@bufbuild/protobuf";
import { workeragent } from "@trainyard/contracts";
import type { Placement } from "../domain/attempt.ts";
import type { DesiredPart } from "../domain/desired-parts.ts";
import { assignmentToProto } from "../wire/assignment-to-proto.ts";

/** More than a rank token and the framing of one assignment take. */
const BESIDE_BYTES = 1_024;

/** Says how many bytes an order takes in a node's desired state. An attempt's is measured once: what it runs never changes. */
export function createOrderSizes(graceMs: number): (part: DesiredPart) => number {
  const runs = new WeakMap<Placement, number>();
  const measure = (part: DesiredPart) =>
    BESIDE_BYTES +
    toBinary(workeragent.AssignmentSchema, assignmentToProto(part, { rankToken: "", graceMs })).byteLength;
  return (part) => {
    if (part.kind === "reap" || part.action === "stop") return measure(part);
    const bytes = runs.get(part.placement) ?? measure(part);
    runs.set(part.placement, bytes);
    return bytes;
  };
}
