import type { registry } from "@trainyard/contracts";
import { currentTraceparent, startSpan } from "@trainyard/telemetry";

/**
 * Records the promotion as a span of the run's trace, where submit, training and evaluation are. The approver's own call is
 * another trace, and linked.
 */
export function tracePromotion(version: registry.ModelVersion | undefined): void {
  if (version === undefined || version.traceparent === "") return;
  const caller = currentTraceparent();
  startSpan("registry", "promotion", {
    parent: version.traceparent,
    links: caller === undefined ? [] : [caller],
    attributes: {
      "trainyard.model": version.model,
      "trainyard.model_version": version.version,
      "trainyard.promoted_by": version.promotedBy,
    },
  }).end();
}
