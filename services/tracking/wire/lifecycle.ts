import { tracking } from "@trainyard/contracts";
import type { Lifecycle, LifecycleView } from "../domain/lifecycle.ts";

const { Lifecycle: Wire, LifecycleView: View } = tracking;

const toWire = {
  active: Wire.ACTIVE,
  archived: Wire.ARCHIVED,
  deleted: Wire.DELETED,
} as const satisfies Record<Lifecycle, tracking.Lifecycle>;

/** A lifecycle as the wire has it. */
export function lifecycleToProto(lifecycle: Lifecycle): tracking.Lifecycle {
  return toWire[lifecycle];
}

/** Which of them a search shows; what this version does not know is shown as active ones. */
export function viewFromProto(view: tracking.LifecycleView): LifecycleView {
  if (view === View.ALL) return "all";
  if (view === View.DELETED) return "deleted";
  return view === View.ARCHIVED ? "archived" : "active";
}
