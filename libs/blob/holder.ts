import type { BlobStore } from "./blob-store.ts";

/** Who holds a blob: what refers to it, in which project. */
export interface Holder {
  /** Such as "run", "job", "upload". */
  readonly kind: string;
  readonly project: string;
  /** Of what refers to it; of any form. */
  readonly id: string;
}

/** A holder's name as a pin has it. */
export function holderName({ kind, project, id }: Holder): string {
  return `${kind}:${project}:${id}`;
}

/** The holder of that name; `undefined` for one of another form. */
export function parseHolder(name: string): Holder | undefined {
  const [, kind, project, id] = /^([a-z-]+):([^:]+):(.+)$/.exec(name) ?? [];
  return kind === undefined || project === undefined || id === undefined ? undefined : { kind, project, id };
}

/** An upload that nothing refers to stays for so long, for what will. */
const UPLOAD_PIN_MS = 24 * 60 * 60_000;

/** What keeps an upload until something refers to it. */
export function uploadPin(
  project: string,
  name: string,
): { readonly holder: string; readonly ttlMs: number } {
  return { holder: holderName({ kind: "upload", project, id: name }), ttlMs: UPLOAD_PIN_MS };
}

/** Whether something of the project refers to the blob. */
export async function isHeldIn(
  blobs: Pick<BlobStore, "pins">,
  digest: string,
  project: string,
): Promise<boolean> {
  return (await blobs.pins(digest)).some((name) => parseHolder(name)?.project === project);
}
