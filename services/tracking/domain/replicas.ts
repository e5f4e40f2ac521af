/**
 * Which replicas are there, as one of them sees it. Each raises a number while it lives; another one counts it as there while
 * that number has changed within SILENT_MS of its own clock, so no two clocks are compared.
 */

/** How often a replica tells that it lives, and how long an unchanged beat counts. */
export const BEAT_MS = 2_000;
export const SILENT_MS = 6_000;

/** What is known of a replica. */
interface Sight {
  readonly beat: number;
  /** When it was first seen with this beat. */
  readonly changedMs: number;
  /** Whether it is known to have lived since this replica began: what another one left behind when it died is not. */
  readonly isLive: boolean;
}

/** What one replica has seen of all, by id. */
export type Sights = ReadonlyMap<string, Sight>;

/** A replica that was read. */
export interface Beat {
  readonly id: string;
  readonly beat: number;
}

/** What is known after another look; undefined before the first. */
export function look(before: Sights | undefined, beats: readonly Beat[], nowMs: number): Sights {
  return new Map(
    beats.map(({ id, beat }) => {
      const known = before?.get(id);
      if (known?.beat === beat) return [id, known];
      return [id, { beat, changedMs: nowMs, isLive: before !== undefined }];
    }),
  );
}

/**
 * Those that share the work, `self` among them. One that was there at the first look must have beaten since: who starts
 * after a crash does not leave the work of the dead lying. That it does a living one's for a moment, too, harms nothing.
 */
export function sharing(sights: Sights, self: string, nowMs: number): readonly string[] {
  const others = [...sights].filter(([id, { isLive, changedMs }]) => {
    return id !== self && isLive && nowMs - changedMs < SILENT_MS;
  });
  return [self, ...others.map(([id]) => id)];
}
