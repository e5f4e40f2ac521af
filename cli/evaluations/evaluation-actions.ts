import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { evaluation } from "@trainyard/contracts";
import { DomainError } from "@trainyard/domain";
import { isTransient } from "../client/call-error.ts";
import { collectPages } from "../client/collect-pages.ts";
import { retryUnavailable } from "../client/retry.ts";
import { namedVersion } from "../datasets/named-version.ts";
import { exitCodes } from "../exit-codes.ts";
import { word } from "../follow/words.ts";
import type { Session } from "../session.ts";
import { style } from "../terminal/style.ts";
import type { Column } from "../terminal/table.ts";
import { evaluationText, gateText, paintEvaluation } from "./evaluation-text.ts";

const { EvaluationState } = evaluation;

const lookEveryMs = 500;

/** Creates a suite or a revision of it. */
export async function applySuite(session: Session, file: string): Promise<void> {
  const suiteYaml = await readFile(file, "utf8").catch((cause: unknown) => {
    throw new DomainError("not_found", "FILE_NOT_FOUND", `${file} cannot be read`, { cause });
  });
  const { evaluation: client } = await session.clients();
  const request = { requestId: randomUUID(), suiteYaml };
  const response = await retryUnavailable(() => client.applySuite(request));
  if (session.json) {
    session.printMessage(evaluation.ApplySuiteResponseSchema, response);
    return;
  }
  const { suite, changed } = response;
  session.print(
    `${changed ? style.good("applied") : style.dim("unchanged")}  ${suite?.name}@${suite?.revision}  ${suite?.gates.map(gateText).join(", ")}`,
  );
}

/** The options of `evaluate MODEL@VERSION`. */
export interface EvaluateFlags {
  readonly suite?: string;
  readonly follow?: boolean;
}

/** Starts an evaluation, and waits for its verdict if asked to. */
export async function evaluate(session: Session, text: string, flags: EvaluateFlags): Promise<number> {
  const { name, version } = namedVersion(text);
  const { evaluation: client } = await session.clients();
  const request = {
    requestId: randomUUID(),
    model: name,
    modelVersion: version,
    suite: flags.suite ?? "",
  };
  const response = await retryUnavailable(() => client.startEvaluation(request));
  const started = response.evaluation;
  if (started === undefined) throw new Error("the evaluation service answered without an evaluation");
  if (flags.follow !== true) {
    if (session.json) session.printMessage(evaluation.EvaluationSchema, started);
    else
      session.print(`${started.id}  ${style.dim(`see it with: npx trainyard evaluate show ${started.id}`)}`);
    return exitCodes.ok;
  }
  session.say(style.dim(`${started.id}  waiting for the verdict; Ctrl-C leaves it running`));
  const ended = await untilEnded(session, started);
  if (session.json) session.printMessage(evaluation.EvaluationSchema, ended);
  else session.print(evaluationText(session, ended));
  return ended.state === EvaluationState.PASSED ? exitCodes.ok : exitCodes.failed;
}

async function untilEnded(session: Session, started: evaluation.Evaluation): Promise<evaluation.Evaluation> {
  const { evaluation: client } = await session.clients();
  let said: evaluation.EvaluationState | undefined;
  for (;;) {
    const now = await client.getEvaluation({ evaluationId: started.id }).catch((error: unknown) => {
      if (isTransient(error)) return undefined;
      throw error;
    });
    const found = now?.evaluation;
    if (found !== undefined && found.state !== said) {
      said = found.state;
      if (isFinal(found.state)) return found;
      session.say(
        style.dim(`${word(EvaluationState, found.state)}${found.jobId === "" ? "" : `  ${found.jobId}`}`),
      );
    }
    await delay(lookEveryMs);
  }
}

function isFinal(state: evaluation.EvaluationState): boolean {
  return [EvaluationState.PASSED, EvaluationState.FAILED, EvaluationState.ERRORED].includes(state);
}

/** Shows one evaluation with its report. */
export async function showEvaluation(session: Session, id: string): Promise<void> {
  const { evaluation: client } = await session.clients();
  const { evaluation: found } = await client.getEvaluation({ evaluationId: id });
  if (found === undefined) throw new Error("the evaluation service answered without an evaluation");
  if (session.json) session.printMessage(evaluation.EvaluationSchema, found);
  else session.print(evaluationText(session, found));
}

/** Lists evaluations. */
export async function listEvaluations(
  session: Session,
  flags: { readonly model?: string; readonly limit: number },
): Promise<void> {
  const { evaluation: client } = await session.clients();
  const { items } = await collectPages(flags.limit, async (page) => {
    const response = await client.listEvaluations({ page, model: flags.model ?? "" });
    return { items: response.evaluations, next: response.page?.nextPageToken ?? "" };
  });
  if (session.json) {
    session.printMessage(evaluation.ListEvaluationsResponseSchema, {
      $typeName: "trainyard.evaluation.v1.ListEvaluationsResponse",
      evaluations: items,
    });
    return;
  }
  const columns: Column<evaluation.Evaluation>[] = [
    { title: "evaluation", cell: ({ id }) => id },
    { title: "model", cell: ({ model, modelVersion }) => `${model}@${modelVersion}` },
    { title: "suite", cell: ({ suite, suiteRevision }) => `${suite}@${suiteRevision}` },
    { title: "state", cell: ({ state }) => word(EvaluationState, state), paint: paintEvaluation },
    { title: "started", cell: ({ createdAt }) => session.time(createdAt) },
  ];
  session.printTable(columns, items, "No evaluations yet.");
}

/** Lists the suites. */
export async function listSuites(session: Session): Promise<void> {
  const { evaluation: client } = await session.clients();
  const response = await client.listSuites({});
  if (session.json) {
    session.printMessage(evaluation.ListSuitesResponseSchema, response);
    return;
  }
  const columns: Column<evaluation.Suite>[] = [
    { title: "suite", cell: ({ name, revision }) => `${name}@${revision}` },
    {
      title: "on",
      cell: ({ dataset, datasetVersion, split }) => `${dataset}@${datasetVersion || "latest"} ${split}`,
    },
    { title: "gates", cell: ({ gates }) => gates.map(gateText).join(", ") },
  ];
  session.printTable(columns, response.suites, "No suites. Apply one with `npx trainyard evaluate apply`.");
}
