import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { line } from "./progress.mjs";
import { inCheckout } from "./stamps.mjs";

const lockFile = inCheckout(".cache/setup/lock");

function holder() {
  try {
    const pid = Number(readFileSync(lockFile, "utf8"));
    process.kill(pid, 0);
    return pid;
  } catch {
    return undefined;
  }
}

/** Runs `fn` while no other set-up of this checkout runs; a lock whose holder has died is taken over. */
export async function withLock(fn) {
  mkdirSync(inCheckout(".cache/setup"), { recursive: true });
  for (let told = false; ; told = true) {
    try {
      writeFileSync(lockFile, String(process.pid), { flag: "wx" });
      break;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    }
    const other = holder();
    if (other === undefined) rmSync(lockFile, { force: true });
    else if (!told) line(`Another set-up of this checkout runs (process ${other}): waiting for it.`);
    if (other !== undefined) await delay(200);
  }
  try {
    return await fn();
  } finally {
    rmSync(lockFile, { force: true });
  }
}
