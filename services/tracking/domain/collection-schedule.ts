/** When collections happen. */
export interface CollectionSchedule {
  /** From the end of one to the next. */
  readonly everyMs: number;
  /** From the beginning of one that never ended, since its process died or it failed, to the next. */
  readonly retryMs: number;
}

/** What is known of the last collection. Before the first one: when the platform began, as its end. */
export interface CollectionMark {
  readonly beganAt: Date;
  readonly endedAt: Date;
}

/** When the next collection is due. */
export function collectionDue({ beganAt, endedAt }: CollectionMark, schedule: CollectionSchedule): Date {
  const isUnfinished = beganAt > endedAt;
  return isUnfinished
    ? new Date(beganAt.getTime() + schedule.retryMs)
    : new Date(endedAt.getTime() + schedule.everyMs);
}
