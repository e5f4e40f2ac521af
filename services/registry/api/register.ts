import { create } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import { registry, type tracking } from "@trainyard/contracts";
import { assertName, DomainError, isDomainError, newId } from "@trainyard/domain";
import { actorOf, fromConnectError, mutate, principalOf, projectOf } from "@trainyard/service";
import { currentTraceparent } from "@trainyard/telemetry";
import { withTexts } from "../domain/catalog.ts";
import { filesDigest } from "../domain/files-digest.ts";
import { type NewVersion, registerVersion } from "../register-version.ts";
import { untrackedOf, versionOfRun } from "../version-of-run.ts";
import type { RegistryParts } from "./deps.ts";
import { versionToProto } from "./to-proto.ts";

/** Longest artifact URI and notes, in characters. */
const maxTextLength = 100_000;

/** Registers a version by hand: of a run's logged model, or of files that are somewhere else. */
export async function register(
  { store, repository, loggedModels, runs, holds }: RegistryParts,
  request: registry.RegisterModelVersionRequest,
  context: HandlerContext,
): Promise<registry.RegisterModelVersionResponse> {
  const project = projectOf(context);
  // A model that was made by hand beforehand may have a freer name.
  if ((await repository.findModel(project, request.model)) === undefined) assertName("model", request.model);
  assertTexts(request);
  const createdBy = actorOf(principalOf(context));
  const run = request.runId === "" ? undefined : await runOf(request.runId);
  const input: NewVersion = {
    ...(run === undefined ? byUri(project, createdBy) : versionOfRun(run, request.model)),
    version: request.version,
    suite: request.suite || (run?.spec?.model?.suite ?? ""),
    metrics: { ...run?.model?.metrics, ...request.metrics },
    notes: request.notes,
    createdBy,
    ...(Object.keys(request.tags).length === 0 ? {} : { tags: withTexts([], request.tags) }),
    ...(request.runId !== "" || request.sourceRunId === "" ? {} : { sourceRunId: request.sourceRunId }),
    ...(request.runId !== "" ? {} : await filesOf(request.loggedModelId)),
  };
  const source =
    request.runId === "" && request.sourceRunId !== "" ? await sourceOf(request.sourceRunId) : {};
  const id = newId("mv");
  await holds.hold(input);
  return mutate(store, request, context, registry.RegisterModelVersionResponseSchema, async (tx) => {
    // What nothing has recorded of a run's data stays so, by whatever way its model is registered.
    const named = { ...input, origin: { ...input.origin, ...source } };
    const version = await registerVersion(repository, tx, id, named, new Date());
    return create(registry.RegisterModelVersionResponseSchema, { modelVersion: versionToProto(version) });
  });

  async function runOf(runId: string): Promise<tracking.Run> {
    try {
      const { run: found } = await runs.getRun({ runId });
      if (found?.model !== undefined && found.project === project) return found;
    } catch (error) {
      throw fromConnectError(error);
    }
    throw new DomainError(
      "failed_precondition",
      "RUN_HAS_NO_MODEL",
      `run_id: run ${runId} has logged no model in project ${project}.`,
    );
  }

  async function sourceOf(runId: string): Promise<ReturnType<typeof untrackedOf>> {
    try {
      const { run: found } = await runs.getRun({ runId });
      return found?.project === project ? untrackedOf(found) : {};
    } catch (error) {
      const known = fromConnectError(error);
      // What a client names as a source may be of another platform.
      if (isDomainError(known) && (known.code === "not_found" || known.code === "invalid_argument"))
        return {};
      throw known;
    }
  }

  /** A version of a logged model has its files, and with them a digest that says what was judged. */
  async function filesOf(loggedModelId: string): Promise<Partial<NewVersion>> {
    if (loggedModelId === "") return {};
    await loggedModels.get(project, loggedModelId);
    const files = await loggedModels.files(loggedModelId);
    return { loggedModelId, files, digest: files.length === 0 ? "" : filesDigest(files) };
  }

  function byUri(inProject: string, submittedBy: string): NewVersion {
    return {
      project: inProject,
      model: request.model,
      version: request.version,
      origin: { runId: "", jobId: "", datasetVersionId: "", codeDigest: "", paramsHash: "", submittedBy },
      artifactUri: request.artifactUri,
      files: [],
      digest: "",
      framework: "",
      metrics: {},
      suite: request.suite,
      notes: request.notes,
      createdBy: submittedBy,
      traceparent: currentTraceparent() ?? "",
    };
  }
}

function assertTexts({ runId, artifactUri, notes }: registry.RegisterModelVersionRequest): void {
  if (runId === "" && artifactUri === "") {
    const description = "expected the run whose model it is, or where its files are";
    throw new DomainError("invalid_argument", "ARTIFACT_MISSING", `run_id or artifact_uri: ${description}.`, {
      violations: [{ field: "artifact_uri", description }],
    });
  }
  for (const [field, text] of Object.entries({ artifact_uri: artifactUri, notes })) {
    if (text.length <= maxTextLength) continue;
    const description = `has ${text.length} characters; at most ${maxTextLength} are kept`;
    throw new DomainError("invalid_argument", "TEXT_TOO_LONG", `${field}: ${description}.`, {
      violations: [{ field, description }],
    });
  }
}
