import type { FlowClients } from "../../flow/clients.ts";

/** Everything that users have made on a platform, each with the version it stands at: what a refusal leaves as it is. */
export async function footprint(user: FlowClients): Promise<readonly string[]> {
  const page = { pageSize: 500 };
  const [{ jobs }, { runs }, { datasets }, { modelVersions }, { suites }, { experiments }] =
    await Promise.all([
      user.scheduler.listJobs({ page }),
      user.tracking.listRuns({ page }),
      user.dataset.listDatasets({ page }),
      user.registry.listModelVersions({ page }),
      user.evaluation.listSuites({}),
      user.tracking.listExperiments({ page }),
    ]);
  const versions = await Promise.all(
    datasets.map(({ name }) => user.dataset.listDatasetVersions({ name, page })),
  );
  return [
    ...jobs.map(({ id, state, version }) => `${id} ${state} ${version}`),
    ...runs.map(({ id, status, version }) => `${id} ${status} ${version}`),
    ...versions.flatMap(({ datasetVersions }) =>
      datasetVersions.map(({ id, state, aggregateVersion }) => `${id} ${state} ${aggregateVersion}`),
    ),
    ...modelVersions.map(({ id, stage, aggregateVersion }) => `${id} ${stage} ${aggregateVersion}`),
    ...suites.map(({ name, revision }) => `${name} ${revision}`),
    ...experiments.map(({ id }) => id),
  ].toSorted();
}
