import type { JobSpec } from "./job-spec.ts";
import { MAX_RANKS } from "./limits.ts";
import { expectInteger, expectThat, type Violation } from "./violation.ts";

/** Checks how the gang is divided: over nodes, and along the axes of its mesh. */
export function checkParallelism(spec: JobSpec): readonly Violation[] {
  const problems = [...checkSpread(spec), ...checkMesh(spec)];
  return problems.length > 0 ? problems : checkTensorInNode(spec);
}

function checkSpread({ ranks, spread }: JobSpec): readonly Violation[] {
  if (spread === undefined) return [];
  const { nodes, ranksPerNode } = spread;
  const numbers = [
    ...expectInteger("spec.nodes", nodes, 1, MAX_RANKS),
    ...expectInteger("spec.ranks_per_node", ranksPerNode, 1, MAX_RANKS),
  ];
  if (numbers.length > 0) return numbers;
  return expectThat(
    ranks === nodes * ranksPerNode,
    "spec.ranks",
    `expected nodes × ranks_per_node = ${nodes * ranksPerNode} ranks, got ${ranks}: leave ranks out, or make them agree`,
  );
}

function checkMesh({ ranks, mesh }: JobSpec): readonly Violation[] {
  if (mesh === undefined) return [];
  const { data, tensor, pipeline } = mesh;
  return [
    ...expectInteger("spec.mesh.data", data, 1, MAX_RANKS),
    ...expectInteger("spec.mesh.tensor", tensor, 1, MAX_RANKS),
    ...expectInteger("spec.mesh.pipeline", pipeline, 1, MAX_RANKS),
    ...expectThat(
      ranks === data * tensor * pipeline,
      "spec.mesh",
      `expected data × tensor × pipeline to be the number of ranks, got ${data} × ${tensor} × ${pipeline} for ${ranks}`,
    ),
  ];
}

/** A tensor group talks in every layer, so it stays inside a node: the ranks of a node must be whole groups. */
function checkTensorInNode({ mesh, spread }: JobSpec): readonly Violation[] {
  if (mesh === undefined || spread === undefined) return [];
  return expectThat(
    spread.ranksPerNode % mesh.tensor === 0,
    "spec.mesh.tensor",
    `expected a divisor of the ${spread.ranksPerNode} ranks per node, got ${mesh.tensor}: a tensor group stays inside a node`,
  );
}
