import { MlflowError } from "./mlflow-error.ts";
import type { Comparison } from "./search/grammar.ts";

/** A part of MLflow that is deliberately not here. */
export interface Refusal {
  readonly feature: string;
  readonly why: string;
  /** Beginnings of the paths, behind `/api/2.0/`, that belong to it. */
  readonly paths: readonly string[];
  /** The methods of MlflowClient that answer "not supported by this server". */
  readonly methods: readonly string[];
}

/** Everything that this server refuses, the one list: the adapter answers by it, docs/mlflow.md shows it, the parity check holds the client to it. */
export const refusals: readonly Refusal[] = [
  {
    feature: "tracing",
    why: "Traces of model calls are OpenTelemetry's: point OTEL_EXPORTER_OTLP_ENDPOINT at a collector.",
    paths: [
      "mlflow/traces",
      "mlflow/unified-traces",
      "mlflow/get-online-trace-details",
      "mlflow/get-trace-artifact",
      "mlflow/issues",
      "mlflow/label-schemas",
      "mlflow/review-queues",
    ],
    methods: [
      "delete_trace_tag",
      "delete_traces",
      "end_trace",
      "get_trace",
      "link_prompt_versions_to_trace",
      "link_traces_to_run",
      "search_traces",
      "set_trace_tag",
    ],
  },
  {
    feature: "prompts",
    why: "Prompts are not models: keep them with the code that uses them.",
    paths: ["mlflow/prompt-optimization", "mlflow/prompts"],
    methods: [
      "create_prompt",
      "create_prompt_version",
      "list_logged_prompts",
      "register_prompt",
      "search_prompts",
    ],
  },
  {
    feature: "GenAI evaluation datasets and scorers",
    why: "Dataset versions (trainyard datasets) and evaluation suites (trainyard evaluate) are this platform's.",
    paths: ["mlflow/datasets", "mlflow/scorers", "mlflow/genai", "mlflow/scorer"],
    methods: [
      "add_dataset_to_experiments",
      "create_dataset",
      "delete_dataset",
      "delete_dataset_tag",
      "get_dataset",
      "remove_dataset_from_experiments",
      "search_datasets",
      "set_dataset_tags",
    ],
  },
  {
    feature: "webhooks",
    why: "Events are on the bus, for any NATS client (docs/EVENTS.md).",
    paths: ["mlflow/webhooks"],
    methods: [
      "create_webhook",
      "delete_webhook",
      "get_webhook",
      "list_webhooks",
      "test_webhook",
      "update_webhook",
    ],
  },
  {
    feature: "workspaces",
    why: "A token belongs to a project, which keeps teams apart.",
    paths: ["mlflow/workspaces"],
    methods: ["create_workspace", "delete_workspace", "get_workspace", "list_workspaces", "update_workspace"],
  },
  {
    feature: "MCP registry",
    why: "Tool servers are not models.",
    paths: ["mlflow/mcp-servers", "mlflow/mcp", "mlflow/mcp-access-endpoints"],
    methods: [
      "create_mcp_access_endpoint",
      "create_mcp_server",
      "create_mcp_server_version",
      "delete_mcp_access_endpoint",
      "delete_mcp_server",
      "delete_mcp_server_alias",
      "delete_mcp_server_tag",
      "delete_mcp_server_version",
      "delete_mcp_server_version_tag",
      "get_latest_mcp_server_version",
      "get_mcp_access_endpoint",
      "get_mcp_server",
      "get_mcp_server_version",
      "get_mcp_server_version_by_alias",
      "refresh_mcp_server_version_tools",
      "search_mcp_access_endpoints",
      "search_mcp_server_versions",
      "search_mcp_servers",
      "set_mcp_server_alias",
      "set_mcp_server_tag",
      "set_mcp_server_version_tag",
      "update_mcp_access_endpoint",
      "update_mcp_server",
      "update_mcp_server_version",
    ],
  },
  {
    feature: "AI gateway",
    why: "Calling models of others is not training.",
    paths: ["mlflow/gateway", "mlflow/gateway-proxy", "mlflow/endpoints", "mlflow/assistant", "mlflow/jobs"],
    methods: [],
  },
  {
    feature: "presigned transfers",
    why: "Files go through the gateway, which streams them, large ones in parts.",
    paths: ["mlflow-artifacts/presigned", "mlflow/artifacts/presigned"],
    methods: [],
  },
];

const PROMPT_TAG = "mlflow.prompt.is_prompt";

/** The refusal that a path belongs to. */
export function refusalOf(path: string): Refusal | undefined {
  return refusals.find(({ paths }) => paths.some((start) => path === start || path.startsWith(`${start}/`)));
}

/** What a client is told of what is not here. */
export function notSupported({ feature, why }: Refusal): MlflowError {
  return new MlflowError(
    "NOT_IMPLEMENTED",
    `MLflow's ${feature}: not supported by this server. ${why} docs/mlflow.md lists what is.`,
  );
}

/** A filter without what MLflow's client adds to leave prompts out. Throws when it is prompts that are looked for. */
export function withoutPrompts(filter: readonly Comparison[]): readonly Comparison[] {
  const asked = filter.filter(({ key }) => key === PROMPT_TAG);
  if (asked.some(({ comparator, value }) => comparator !== "!=" || value !== "true"))
    assertNoPrompt([PROMPT_TAG]);
  return filter.filter(({ key }) => key !== PROMPT_TAG);
}

/** Throws where prompts would be kept as registered models with a tag. */
export function assertNoPrompt(keys: readonly string[]): void {
  if (!keys.includes(PROMPT_TAG)) return;
  const prompts = refusals.find(({ feature }) => feature === "prompts");
  if (prompts !== undefined) throw notSupported(prompts);
}
