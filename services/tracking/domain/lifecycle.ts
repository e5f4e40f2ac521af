/** Whether something is shown: archived things only when asked for; deleted ones too, and they refuse changes. */
export const lifecycles = ["active", "archived", "deleted"] as const;
export type Lifecycle = (typeof lifecycles)[number];

/** Which of them a search shows. */
export type LifecycleView = Lifecycle | "all";

/** How long a thing has been out of sight; what says nothing is in sight. */
export interface LifecycleChange {
  readonly lifecycle: Lifecycle;
  readonly lifecycleChangedAt?: Date;
  readonly lifecycleChangedBy?: string;
}

/** The marks of a change to this lifecycle: back in sight, nothing remembers that it was out of it. */
export function lifecycleMarks(lifecycle: Lifecycle, at: Date, by: string): LifecycleChange {
  if (lifecycle === "active") return { lifecycle };
  return { lifecycle, lifecycleChangedAt: at, lifecycleChangedBy: by };
}
