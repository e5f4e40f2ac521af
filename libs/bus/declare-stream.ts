import type { Bus } from "./bus.ts";
import { apiCodes, hasApiCode, StreamDeclarationError } from "./errors.ts";
import { type StreamSpec, streamConfig } from "./stream-spec.ts";

/** Makes a stream what its spec says: creates it, or updates the one that is there. Calling it again changes nothing. Throws StreamDeclarationError. */
export async function declareStream(bus: Bus, spec: StreamSpec): Promise<void> {
  try {
    await reconcile(bus, spec);
  } catch (error) {
    throw new StreamDeclarationError(spec.name, error);
  }
}

async function reconcile(bus: Bus, spec: StreamSpec): Promise<void> {
  const wanted = streamConfig(spec);
  try {
    const { config } = await bus.jsm.streams.info(spec.name);
    if (matches(wanted, config)) return;
    await bus.jsm.streams.update(spec.name, wanted);
  } catch (error) {
    if (!hasApiCode(error, apiCodes.streamNotFound)) throw error;
    await bus.jsm.streams.add(wanted);
  }
}

/** Whether every wanted setting is in force already; what the server adds by itself does not count. */
export function matches(wanted: object, actual: object): boolean {
  const present = new Map<string, unknown>(Object.entries(actual));
  return Object.entries(wanted).every(
    ([key, value]) => value === undefined || JSON.stringify(value) === JSON.stringify(present.get(key)),
  );
}
