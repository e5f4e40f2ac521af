import { create, type DescMessage, type DescMethodUnary, type MessageInitShape } from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  type ContextValues,
  createContextValues,
  type Interceptor,
  type Transport,
  type UnaryRequest,
  type UnaryResponse,
} from "@connectrpc/connect";
import { createMethodSerializationLookup, createMethodUrl } from "@connectrpc/connect/protocol";
import {
  errorFromJsonBytes,
  requestHeader,
  trailerDemux,
  validateResponse,
} from "@connectrpc/connect/protocol-connect";
import { httpPoster } from "./http-post.ts";
import { postWithinProcess } from "./within-process.ts";

export interface UnaryTransportOptions {
  readonly interceptors: readonly Interceptor[];
  /** Of a call that says nothing else; undefined for no limit. */
  readonly timeoutMs: number | undefined;
  readonly maxMessageBytes: number;
  /** Calls a server of this process without a socket. */
  readonly withinProcess: boolean;
}

/** Of calls that nobody takes back. */
const never = new AbortController().signal;

/**
 * Unary calls in Connect's protocol (https://connectrpc.com/docs/protocol) over HTTP/1.1, or without it within one process. It does what Connect's own
 * transport does with a fraction of its work, and nothing of a call outlives it: docs/adr/0022 has why.
 */
export function unaryTransport(baseUrl: string, options: UnaryTransportOptions): Transport {
  const { interceptors, maxMessageBytes, withinProcess } = options;
  const post = httpPoster(baseUrl, maxMessageBytes);
  const methods = new Map<DescMethodUnary, ReturnType<typeof methodOf>>();

  /** What is the same in each call of a method, and dear to make. */
  function methodOf(method: DescMethodUnary) {
    const limits = { readMaxBytes: maxMessageBytes, writeMaxBytes: maxMessageBytes };
    const formats = createMethodSerializationLookup(method, undefined, undefined, limits);
    return {
      url: createMethodUrl(baseUrl, method),
      input: formats.getI(true),
      output: formats.getO(true),
    };
  }

  function known(method: DescMethodUnary) {
    const found = methods.get(method) ?? methodOf(method);
    methods.set(method, found);
    return found;
  }

  async function send(request: UnaryRequest, timeoutMs: number | undefined): Promise<UnaryResponse> {
    const { method, service, url, header, signal, message } = request;
    const { input, output } = known(method);
    const sent = { url, header, body: input.serialize(message), signal, timeoutMs };
    const within = withinProcess ? postWithinProcess(sent, maxMessageBytes) : undefined;
    const answer = await (within ?? post(sent));
    const { isUnaryError, unaryError } = validateResponse("unary", true, answer.status, answer.header);
    if (isUnaryError) throw errorFromJsonBytes(answer.body, answer.header, unaryError);
    const [own, trailer] = trailerDemux(answer.header);
    return { stream: false, service, method, header: own, trailer, message: output.parse(answer.body) };
  }

  return {
    async unary<I extends DescMessage, O extends DescMessage>(
      method: DescMethodUnary<I, O>,
      signal: AbortSignal | undefined,
      callTimeoutMs: number | undefined,
      header: Parameters<Transport["unary"]>[3],
      input: MessageInitShape<I>,
      contextValues?: ContextValues,
    ): Promise<UnaryResponse<I, O>> {
      // As in Connect's transports: 0 is no limit.
      const timeoutMs = callTimeoutMs === undefined ? options.timeoutMs : callTimeoutMs || undefined;
      const call = interceptors.reduceRight<ReturnType<Interceptor>>(
        (next, interceptor) => interceptor(next),
        (request) => send(request as UnaryRequest, timeoutMs),
      );
      const answer = await call({
        stream: false,
        service: method.parent,
        method,
        requestMethod: "POST",
        url: known(method).url,
        header: requestHeader("unary", true, timeoutMs, header, true),
        contextValues: contextValues ?? createContextValues(),
        signal: signal ?? never,
        message: create(method.input, input),
      });
      return answer as UnaryResponse<I, O>;
    },
    stream() {
      throw new ConnectError("this transport is for unary calls", Code.Unimplemented);
    },
  };
}
