import { setTimeout as delay } from "node:timers/promises";
import { isTransient } from "./call-error.ts";

const delaysMs = [200, 500, 1_000, 2_000, 4_000];

/** Calls again while the platform is away for a moment. Only for calls whose request id makes a repetition harmless. */
export async function retryUnavailable<T>(call: () => Promise<T>): Promise<T> {
  for (const waitMs of delaysMs) {
    try {
      return await call();
    } catch (error) {
      if (!isTransient(error)) throw error;
      await delay(waitMs);
    }
  }
  return call();
}
