import { Option } from "commander";
import type { GetFlags, ListFlags, RemoveFlags } from "../artifacts/artifact-actions.ts";
import type { GarbageFlags } from "../artifacts/garbage-actions.ts";
import type { MediaFlags } from "../artifacts/media-actions.ts";
import type { AddCommands } from "../command.ts";
import { wholeNumber } from "../command.ts";
import type { Session } from "../session.ts";

const load = () => import("../artifacts/artifact-actions.ts");
const loadMedia = () => import("../artifacts/media-actions.ts");
const loadGarbage = () => import("../artifacts/garbage-actions.ts");

const days = (what: string) => wholeNumber(what, 0, 36_500);

/** `artifacts`. */
export const addArtifactCommands: AddCommands = (program, action) => {
  const artifacts = program
    .command("artifacts")
    .description("the files that a run keeps: list, show, get, put, remove");
  artifacts
    .command("ls")
    .argument("<run>", "a run's or job's id")
    .argument("[path]", "a folder of it")
    .description("what is in a folder, folders with the sum of what they hold")
    .option("-R, --recursive", "everything below it")
    .action(
      action(async (session: Session, run: string, path: string | undefined, flags: ListFlags) =>
        (await load()).list(session, run, path ?? "", flags),
      ),
    );
  artifacts
    .command("show")
    .argument("<run>", "a run's or job's id")
    .argument("<path>", "a file of it")
    .description(
      "what a file holds: text, JSON, the first rows of a table, a histogram as bars, a picture's size",
    )
    .addHelpText(
      "after",
      "\nA picture's bytes are in --json; 'artifacts get' fetches any file.\n\nExample:\n  $ npx trainyard artifacts show RUN reports/metrics.csv",
    )
    .action(
      action(async (session: Session, run: string, path: string) =>
        (await loadMedia()).showArtifact(session, run, path),
      ),
    );
  artifacts
    .command("media")
    .argument("<run>", "a run's or job's id")
    .description(
      "histograms, images and tables by step, as run.log_histogram, log_image and log_table kept them",
    )
    .addOption(new Option("--kind <kind>", "only these").choices(["histogram", "image", "table"]))
    .option("--key <name>", "only of this key")
    .option("--from <step>", "from this step on", wholeNumber("the step", 0, Number.MAX_SAFE_INTEGER))
    .option("--to <step>", "up to this step", wholeNumber("the step", 0, Number.MAX_SAFE_INTEGER))
    .option("--limit <n>", "at most so many", wholeNumber("the limit", 1, 10_000), 100)
    .addHelpText(
      "after",
      `
Each is a file of the run: 'artifacts show RUN PATH' shows one.

Example:
  $ npx trainyard artifacts media RUN --kind histogram --key weights --from 1000`,
    )
    .action(
      action(async (session: Session, run: string, flags: MediaFlags) =>
        (await loadMedia()).listMedia(session, run, flags),
      ),
    );
  artifacts
    .command("get")
    .argument("<run>", "a run's or job's id")
    .argument("[path]", "a file, or a folder with everything below it; all of the run without it")
    .description(
      "download: each file is checked against its digest, and what is there already is not sent again",
    )
    .option("-o, --output <path>", "where to: a file for a file, else a folder", ".")
    .addOption(new Option("--archive", "one .tar.gz of the folder instead of its files"))
    .addHelpText(
      "after",
      `
A download that was cut off is gone on with when the command is repeated. A file that is there with another content
is not overwritten unless --force is given.

Examples:
  $ npx trainyard artifacts get RUN reports/confusion.png
  $ npx trainyard artifacts get RUN checkpoints -o /tmp/checkpoints`,
    )
    .option("--force", "overwrite files that have another content")
    .action(
      action(async (session: Session, run: string, path: string | undefined, flags: GetFlags) =>
        (await load()).get(session, run, path ?? "", flags),
      ),
    );
  artifacts
    .command("put")
    .argument("<run>", "a run's or job's id")
    .argument("<file>", "a file, or a folder with everything below it")
    .argument("[path]", "its path in the run; its own name without it")
    .description("upload: large files go in parts, straight to the blob store where that is S3")
    .addHelpText(
      "after",
      `
An upload that was cut off is gone on with when the command is repeated: parts that have arrived are not sent again.

Example:
  $ npx trainyard artifacts put RUN model.safetensors models/final.safetensors`,
    )
    .action(
      action(async (session: Session, run: string, file: string, path: string | undefined) =>
        (await load()).put(session, run, file, path),
      ),
    );
  artifacts
    .command("rm")
    .argument("<run>", "a run's or job's id")
    .argument("<path>", "a file, or with --recursive a folder")
    .description("take a file out of the run; its bytes are freed when nothing else refers to them")
    .option("-R, --recursive", "a folder with everything below it")
    .action(
      action(async (session: Session, run: string, path: string, flags: RemoveFlags) =>
        (await load()).remove(session, run, path, flags),
      ),
    );
};

/** `gc`. */
export const addGarbageCommands: AddCommands = (program, action) => {
  program
    .command("gc")
    .description(
      "free what nothing needs any more: long deleted runs, old artifacts by policy, blobs that nobody holds",
    )
    .option("--dry-run", "only tell what would go, and why")
    .option(
      "--purge-deleted-after <days>",
      "deleted runs go for good after so many days; 0 never",
      days("the days"),
    )
    .option(
      "--artifacts-older-than <days>",
      "artifacts of runs that ended longer ago go; 0 never",
      days("the days"),
    )
    .option("--checkpoints-older-than <days>", "checkpoints likewise; 0 never", days("the days"))
    .option(
      "--keep-newest <n>",
      "the newest runs of each experiment lose nothing",
      wholeNumber("the number", 0, 1_000_000),
    )
    .option(
      "--release-archived-after <days>",
      "model versions archived longer ago hold their runs' files no more; 0 they do for ever",
      days("the days"),
    )
    .addHelpText(
      "after",
      `
Needs an admin's token (--as admin), and looks at all projects. Without options the platform's own policy counts:
TRAINYARD_PURGE_DELETED_AFTER_DAYS, TRAINYARD_ARTIFACT_DAYS, TRAINYARD_CHECKPOINT_DAYS, TRAINYARD_KEEP_NEWEST_RUNS and
TRAINYARD_ARCHIVED_VERSION_DAYS of tracking, which does this by itself every TRAINYARD_GC_EVERY_HOURS (24; 0 never). Runs tagged
"trainyard.keep", and those of which a model version is in staging, canary or champion, lose nothing by age; one of which the
versions are archived does after --release-archived-after, but for the versions' own files. It is safe beside running jobs,
and can be stopped and repeated at any time.

Example:
  $ npx trainyard --as admin gc --dry-run --artifacts-older-than 90 --keep-newest 20`,
    )
    .action(
      action(async (session: Session, flags: GarbageFlags) => (await loadGarbage()).collect(session, flags)),
    );
};
