/** How two GPUs of a node are connected. */
export interface GpuLink {
  readonly first: number;
  /** The larger index. */
  readonly second: number;
  /** "NV<n>" for n NVLinks, then from near to far "PIX", "PXB", "PHB", "NODE", "SYS". */
  readonly kind: string;
}

/** Terminal codes: nvidia-smi underlines the matrix's title. */
const ESCAPES = new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*m`, "g");
const KIND = /^(NV\d+|PIX|PXB|PHB|NODE|SYS)$/;

/** Reads the matrix that `nvidia-smi topo -m` prints, each pair once; what is no GPU in it is left out. */
export function gpuLinks(text: string): readonly GpuLink[] {
  const rows = text
    .replaceAll(ESCAPES, "")
    .split("\n")
    .map((line) => line.trim().split(/\s+/));
  const title = rows.find(
    (row) => row[0] === "GPU0" && row.every((word) => !KIND.test(word)) && row[1] !== "X",
  );
  const columns = (title ?? []).filter((word) => /^GPU\d+$/.test(word)).map((word) => Number(word.slice(3)));
  return rows.flatMap((row) => {
    if (row === title || !/^GPU\d+$/.test(row[0] ?? "")) return [];
    const first = Number(row[0]?.slice(3));
    return columns.flatMap((second, index) => {
      const kind = row[index + 1] ?? "";
      return second > first && KIND.test(kind) ? [{ first, second, kind }] : [];
    });
  });
}
