import { mkdir, writeFile } from "node:fs/promises";
import { basename, join, relative, resolve } from "node:path";
import { DomainError } from "@trainyard/domain";
import type { Session } from "../session.ts";
import { style } from "../terminal/style.ts";
import { jobTemplate, trainTemplate } from "./templates.ts";

/** Writes `job.yaml` and `train.py`. A file that is there is left as it is; with both there it says so and fails. */
export async function init(session: Session, folder: string): Promise<void> {
  const dir = resolve(folder);
  await mkdir(dir, { recursive: true });
  const name =
    basename(dir)
      .replace(/[^A-Za-z0-9._-]+/g, "-")
      .replace(/^[.-]+/, "") || "my-model";
  const files = [
    { path: join(dir, "job.yaml"), text: jobTemplate(name, dir) },
    { path: join(dir, "train.py"), text: trainTemplate },
  ];
  const written: string[] = [];
  const kept: string[] = [];
  for (const { path, text } of files) ((await writeNew(path, text)) ? written : kept).push(shown(path));
  if (written.length === 0) {
    throw new DomainError(
      "already_exists",
      "FILES_EXIST",
      `${kept.join(" and ")} are there already and stay as they are: give another folder, such as \`trainyard init my-model\``,
    );
  }
  if (session.json) {
    session.print(JSON.stringify({ written, kept }));
    return;
  }
  for (const path of written) session.print(`${style.good("wrote")} ${path}`);
  for (const path of kept) session.print(`${style.dim("kept ")} ${path}`);
  session.print(`\nNext: ${style.accent(`npx trainyard submit ${shown(join(dir, "job.yaml"))} -f`)}`);
}

/** False when the file exists: it is never overwritten. */
async function writeNew(path: string, text: string): Promise<boolean> {
  try {
    await writeFile(path, text, { flag: "wx" });
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  }
}

function shown(path: string): string {
  const near = relative(process.cwd(), path);
  return near.startsWith("..") ? path : near;
}
