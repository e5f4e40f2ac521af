import type { AddCommands } from "../command.ts";
import { wholeNumber } from "../command.ts";
import type { DeprecateFlags, RegisterFlags } from "../datasets/dataset-actions.ts";
import type { Session } from "../session.ts";

const load = () => import("../datasets/dataset-actions.ts");

const registerHelp = `
The file is checked against the contract, split and sharded. One that breaks its contract is kept in quarantine with the
report, no job can use it, and the exit code is 1.

Example:
  $ npx trainyard datasets register digits digits.parquet --contract contract.yaml`;

/** `datasets`. */
export const addDatasetCommands: AddCommands = (program, action) => {
  const datasets = program
    .command("datasets")
    .description("versioned inputs: register, list, show, versions, deprecate");
  datasets
    .command("register")
    .argument("<name>", "the dataset's name")
    .argument("<file>", "a Parquet or CSV file")
    .description("check a file against a contract and keep it as a version")
    .requiredOption("--contract <file>", "the contract (YAML)")
    .option("--version <semver>", "the version; derived from what changed unless given")
    .option("--description <text>", "what it is")
    .addHelpText("after", registerHelp)
    .action(
      action(async (session: Session, name: string, file: string, flags: RegisterFlags) =>
        (await load()).registerDataset(session, name, file, flags),
      ),
    );
  datasets
    .command("list")
    .description("the datasets with their newest usable version")
    .option("--limit <n>", "at most so many", wholeNumber("the limit", 1, 10_000), 50)
    .action(
      action(async (session: Session, flags: { readonly limit: number }) =>
        (await load()).listDatasets(session, flags),
      ),
    );
  datasets
    .command("versions")
    .argument("<name>", "the dataset's name")
    .description("a dataset's versions, newest first")
    .option("--limit <n>", "at most so many", wholeNumber("the limit", 1, 10_000), 50)
    .action(
      action(async (session: Session, name: string, flags: { readonly limit: number }) =>
        (await load()).listDatasetVersions(session, name, flags),
      ),
    );
  datasets
    .command("show")
    .argument("<version>", "NAME, NAME@VERSION or an id (dsv_…)")
    .description("one version: columns, splits, what validation found")
    .action(action(async (session: Session, text: string) => (await load()).showDataset(session, text)));
  datasets
    .command("deprecate")
    .argument("<version>", "NAME@VERSION")
    .description("take a version out of use for new jobs; it is never deleted")
    .requiredOption("--reason <text>", "why")
    .action(
      action(async (session: Session, text: string, flags: DeprecateFlags) =>
        (await load()).deprecateDataset(session, text, flags),
      ),
    );
};
