import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

/** Runs a program that passes the point three times, and tells how it ended and how far it came. */
function run(env: Record<string, string>) {
  const program = `
    import { crashPoint } from ${JSON.stringify(new URL("./crash-point.ts", import.meta.url).href)};
    for (const pass of [1, 2, 3]) { crashPoint("a.b.c"); process.stdout.write(String(pass)); }`;
  const { signal, stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", program], {
    env: { ...process.env, ...env },
    encoding: "utf8",
  });
  return { signal, stdout };
}

describe("crash point", () => {
  it("does nothing unless it is named", () => {
    expect(run({ TRAINYARD_CRASH_AT: "" })).toEqual({ signal: null, stdout: "123" });
    expect(run({ TRAINYARD_CRASH_AT: "a.b.d,a.b" })).toEqual({ signal: null, stdout: "123" });
  });

  it("kills the process at the pass that was asked for", () => {
    expect(run({ TRAINYARD_CRASH_AT: "x.y.z, a.b.c" })).toEqual({ signal: "SIGKILL", stdout: "" });
    expect(run({ TRAINYARD_CRASH_AT: "a.b.c#3" })).toEqual({ signal: "SIGKILL", stdout: "12" });
  });

  it("dies once across restarts when it has a folder to remember in", () => {
    const dir = mkdtempSync(join(tmpdir(), "crash-point-"));
    try {
      const env = { TRAINYARD_CRASH_AT: "a.b.c", TRAINYARD_CRASH_ONCE_DIR: join(dir, "once") };
      expect(run(env).signal).toBe("SIGKILL");
      expect(existsSync(join(dir, "once", "a.b.c"))).toBe(true);
      expect(run(env)).toEqual({ signal: null, stdout: "123" });
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});
