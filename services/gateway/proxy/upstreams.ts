import {
  create,
  type DescMessage,
  type DescMethodClientStreaming,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  type MessageShape,
} from "@bufbuild/protobuf";
import { Code, ConnectError, type Transport } from "@connectrpc/connect";
import { registry } from "@trainyard/contracts";
import { DomainError } from "@trainyard/domain";
import { inProject, type Principal, rpcTransport } from "@trainyard/service";
import type { Assertions } from "../auth/assertions.ts";
import { type UpstreamName, upstreamNames, upstreamServices } from "./proxied-methods.ts";
import { assertOwn, assertOwnRun } from "./rank-scope.ts";

const { getLoggedModel } = registry.LoggedModelService.method;

/** Longest a unary call may take for a caller that set no deadline; registering a large dataset takes minutes. */
const UNARY_TIMEOUT_MS = 10 * 60_000;

/** What callers are told to wait while a service is away. */
const RETRY_AFTER_MS = 1_000;

/** Whose call it is and how long it may take. */
export interface UpstreamCall {
  readonly principal: Principal;
  readonly signal: AbortSignal;
  /** What is left of the caller's deadline. */
  readonly timeoutMs: number | undefined;
}

/** The services behind the gateway, called for a user. */
export interface Upstreams {
  unary<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageShape<I>,
    call: UpstreamCall,
  ): Promise<MessageShape<O>>;
  clientStream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodClientStreaming<I, O>,
    requests: AsyncIterable<MessageShape<I>>,
    call: UpstreamCall,
  ): Promise<MessageShape<O>>;
  serverStream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    request: MessageShape<I>,
    call: UpstreamCall,
  ): AsyncIterable<MessageShape<O>>;
}

interface Upstream {
  readonly name: UpstreamName;
  readonly unary: Transport;
  readonly streaming: Transport;
}

/** Connections are made when first needed, and shared. */
export function createUpstreams(
  urls: Readonly<Record<UpstreamName, string>>,
  assertions: Assertions,
  { withinProcess }: { readonly withinProcess: boolean },
): Upstreams {
  const byService = new Map<string, Upstream>(
    upstreamNames.flatMap((name) => {
      const options = { name: "gateway", timeoutMs: 0 };
      const unary = rpcTransport(urls[name], { ...options, unaryOnly: true, withinProcess });
      const upstream = { name, unary, streaming: rpcTransport(urls[name], options) };
      return upstreamServices[name].map(({ typeName }): [string, typeof upstream] => [typeName, upstream]);
    }),
  );

  function upstreamOf(typeName: string) {
    const upstream = byService.get(typeName);
    if (upstream === undefined) throw new Error(`${typeName} is not behind the gateway`);
    return upstream;
  }

  async function headersOf({ principal }: UpstreamCall): Promise<Headers> {
    const authorization = `Bearer ${await assertions(principal)}`;
    // A user's assertion says the project itself; for a rank the gateway asks as a service, which is of none.
    const named =
      principal.kind === "rank" && principal.project !== undefined
        ? inProject(principal.project).headers
        : {};
    return new Headers({ authorization, ...named });
  }

  /** The run that a logged model is of; empty where there is no such model. */
  async function runOfModel(id: string, call: UpstreamCall): Promise<string> {
    const { unary } = upstreamOf(getLoggedModel.parent.typeName);
    const request = create(getLoggedModel.input, { id, allowDeleted: true });
    try {
      const header = await headersOf(call);
      const { message } = await unary.unary(getLoggedModel, call.signal, UNARY_TIMEOUT_MS, header, request);
      return message.model?.sourceRunId ?? "";
    } catch (error) {
      if (ConnectError.from(error).code === Code.NotFound) return "";
      throw asSeenHere(error, "registry", call.signal);
    }
  }

  return {
    async unary(method, request, call) {
      await assertOwn(call.principal, method, request, (id) => runOfModel(id, call));
      const { name, unary } = upstreamOf(method.parent.typeName);
      const header = await headersOf(call);
      try {
        const timeoutMs = call.timeoutMs ?? UNARY_TIMEOUT_MS;
        return (await unary.unary(method, call.signal, timeoutMs, header, request)).message;
      } catch (error) {
        throw asSeenHere(error, name, call.signal);
      }
    },

    async clientStream(method, requests, call) {
      const { name, streaming } = upstreamOf(method.parent.typeName);
      const header = await headersOf(call);
      try {
        const timeoutMs = call.timeoutMs ?? UNARY_TIMEOUT_MS;
        // The answer is the only message of the stream that comes back.
        const { message } = await streaming.stream(method, call.signal, timeoutMs, header, requests);
        for await (const answer of message) return answer;
        throw new ConnectError("no answer", Code.Internal);
      } catch (error) {
        throw asSeenHere(error, name, call.signal);
      }
    },

    async *serverStream(method, request, call) {
      assertOwnRun(call.principal, request);
      const { name, streaming } = upstreamOf(method.parent.typeName);
      const header = await headersOf(call);
      try {
        const { message } = await streaming.stream(
          method,
          call.signal,
          call.timeoutMs,
          header,
          once(request),
        );
        yield* message;
      } catch (error) {
        throw asSeenHere(error, name, call.signal);
      }
    },
  };
}

async function* once<T>(item: T): AsyncGenerator<T> {
  yield item;
}

/** How a call ends whose connection could not be made, or broke in mid-call since the service died. */
const unanswered: ReadonlySet<Code> = new Set([Code.Unavailable, Code.Canceled, Code.Aborted]);

/**
 * What a service answered passes as it is, details and all. That no service answered is told in the gateway's words:
 * the connection's own error would name addresses that mean nothing to the caller.
 */
function asSeenHere(error: unknown, name: UpstreamName, signal: AbortSignal): unknown {
  const failure = ConnectError.from(error);
  if (signal.aborted || !unanswered.has(failure.code) || failure.details.length > 0) return failure;
  return new DomainError(
    "unavailable",
    "SERVICE_UNAVAILABLE",
    `The ${name} service does not answer. Try again in a moment.`,
    { metadata: { service: name }, retryAfterMs: RETRY_AFTER_MS, cause: error },
  );
}
