/** What tests have opened, newest last; closed in reverse when the test file (or the process, outside vitest) ends. */
const open: (() => Promise<void> | void)[] = [];

/** Has `close` called when the current test file ends. One that fails does not keep the others from being closed. */
export function atFileEnd(close: () => Promise<void> | void): void {
  open.push(close);
}

/** Closes everything in reverse order; throws the first failure after all were tried. Scripts outside vitest call it. */
export async function closeAll(): Promise<void> {
  const failures: unknown[] = [];
  for (const close of open.splice(0).reverse()) {
    try {
      await close();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}
