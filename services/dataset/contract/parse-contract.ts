import { DomainError } from "@trainyard/domain";
import { parseYaml } from "@trainyard/yaml";
import type { Contract } from "../domain/contract.ts";
import { contractFileSchema } from "./check-contract.ts";

/** A contract as written, and its meaning. */
export interface ReadContract {
  readonly contract: Contract;
  readonly yaml: string;
}

/**
 * Reads a contract. Throws `invalid_argument` CONTRACT_INVALID with line and column of every problem; also when the
 * contract names another dataset than the one it is used for.
 */
export function parseContract(yaml: string, dataset: string, fileName = "contract.yaml"): ReadContract {
  const { apiVersion: _api, kind: _kind, ...file } = parseContractFile(yaml, fileName);
  if (file.name !== undefined && file.name !== dataset) {
    const description = `the contract is for dataset ${file.name}, the request for ${dataset}`;
    throw new DomainError("invalid_argument", "CONTRACT_INVALID", `${fileName}: name: ${description}.`, {
      violations: [{ field: "name", description }],
    });
  }
  const columns = file.columns.map(({ min, max, values, matches, ...column }) => ({
    ...column,
    min,
    max,
    values,
    matches,
  }));
  const rules = file.rules.map(({ name, minRows, maxRows, compare }) => ({
    name,
    minRows,
    maxRows,
    compare,
  }));
  const { name, target, stratifyBy, shards } = file;
  return { contract: { ...file, name, target, stratifyBy, shards, columns, rules }, yaml };
}

function parseContractFile(yaml: string, fileName: string) {
  try {
    return parseYaml(yaml, contractFileSchema, { fileName, reason: "CONTRACT_INVALID" });
  } catch (error) {
    // Too large or too deep is invalid as well: callers switch on one reason.
    if (!(error instanceof DomainError) || error.reason === "CONTRACT_INVALID") throw error;
    throw new DomainError("invalid_argument", "CONTRACT_INVALID", error.message, { cause: error });
  }
}
