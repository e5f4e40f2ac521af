import { type Counter, type Histogram, metrics } from "@opentelemetry/api";

/** Bucket bounds in milliseconds that tell apart a cache hit, a database call and a stuck one. */
const MILLISECOND_BUCKETS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000];

/**
 * A counter of this service, shown on /metrics. Make it when the service is built, that is after `startTelemetry`:
 * one made earlier counts nothing. Attributes become labels, so they never hold ids.
 */
export function counter(service: string, name: string, description: string): Counter {
  return metrics.getMeter(service).createCounter(name, { description });
}

/** A histogram of durations in milliseconds; the same rules as for `counter`. */
export function histogram(service: string, name: string, description: string): Histogram {
  return metrics.getMeter(service).createHistogram(name, {
    description,
    unit: "ms",
    advice: { explicitBucketBoundaries: MILLISECOND_BUCKETS },
  });
}
