import { Option } from "commander";
import type { AddCommands } from "../command.ts";
import type { Session } from "../session.ts";
import type { SyncFlags } from "../sync/sync-command.ts";

/** `sync`. */
export const addMoveCommands: AddCommands = (program, action) => {
  program
    .command("sync")
    .argument("<dir>", "a folder of recorded runs, or one run's")
    .description("send runs that were recorded without a platform, as often as you like")
    .option("-f, --follow", "go on while they grow, until all of them have ended")
    .addOption(
      new Option(
        "--ended <status>",
        "how runs ended that do not say so, and whose processes ran on another machine",
      ).choices(["completed", "failed", "killed"]),
    )
    .addHelpText(
      "after",
      `
A script records a run with trainyard.init(offline="DIR"), or under TRAINYARD_OFFLINE=DIR. What was sent is noted in the run's
folder, so that nothing is sent twice, also after a crash in the middle. A run whose process is gone without a word has failed.

Examples:
  $ npx trainyard sync runs/                  whatever is new
  $ npx trainyard sync runs/ --follow &       while they train`,
    )
    .action(
      action(async (session: Session, dir: string, flags: SyncFlags) =>
        (await import("../sync/sync-command.ts")).sync(session, dir, flags),
      ),
    );
};
