import { join, resolve } from "node:path";

/** The root of this checkout. The check runner takes nothing from the libs: it must run while they are broken. */
export const checkoutRoot: string = resolve(import.meta.dirname, "..");

/** The checkout's own Python environment's interpreter. */
export const checkoutPython: string = join(checkoutRoot, ".venv/bin/python");
