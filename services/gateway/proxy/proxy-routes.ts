import type {
  DescMethod,
  DescMethodClientStreaming,
  DescMethodServerStreaming,
  DescMethodUnary,
} from "@bufbuild/protobuf";
import type { ConnectRouter, HandlerContext } from "@connectrpc/connect";
import { DomainError } from "@trainyard/domain";
import { methodPath, principalOf } from "@trainyard/service";
import { isInternal, methodsOf, upstreamNames } from "./proxied-methods.ts";
import type { UpstreamCall, Upstreams } from "./upstreams.ts";

/** Offers every method of the services behind the gateway, forwarded by its descriptor: a new method needs no line here. */
export function proxyRoutes(router: ConnectRouter, upstreams: Upstreams): void {
  for (const name of upstreamNames) {
    for (const method of methodsOf(name)) route(router, upstreams, method);
  }
}

function route(router: ConnectRouter, upstreams: Upstreams, method: DescMethod): void {
  if (isUnary(method)) {
    router.rpc(method, (request, context) => {
      if (isInternal(method)) throw internalMethod(method);
      return upstreams.unary(method, request, callOf(context));
    });
  } else if (isServerStreaming(method)) {
    router.rpc(method, (request, context) => upstreams.serverStream(method, request, callOf(context)));
  } else if (isClientStreaming(method)) {
    router.rpc(method, (requests, context) => upstreams.clientStream(method, requests, callOf(context)));
  } else {
    throw new Error(`${methodPath(method)}: the gateway forwards no ${method.methodKind} methods`);
  }
}

function isUnary(method: DescMethod): method is DescMethodUnary {
  return method.methodKind === "unary";
}

function isServerStreaming(method: DescMethod): method is DescMethodServerStreaming {
  return method.methodKind === "server_streaming";
}

function isClientStreaming(method: DescMethod): method is DescMethodClientStreaming {
  return method.methodKind === "client_streaming";
}

function callOf(context: HandlerContext): UpstreamCall {
  return {
    principal: principalOf(context),
    signal: context.signal,
    timeoutMs: context.timeoutMs(),
  };
}

function internalMethod(method: DescMethod): DomainError {
  return new DomainError(
    "permission_denied",
    "METHOD_INTERNAL",
    `${methodPath(method)} is for the platform's own parts and is not offered to users.`,
  );
}
