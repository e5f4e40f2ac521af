import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** A span as an OTLP/HTTP exporter sends it in JSON, as far as the tests look. */
export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly name: string;
  readonly attributes: Readonly<Record<string, unknown>>;
}

interface OtlpBody {
  readonly resourceSpans?: readonly {
    readonly scopeSpans?: readonly {
      readonly spans?: readonly {
        readonly traceId: string;
        readonly spanId: string;
        readonly parentSpanId?: string;
        readonly name: string;
        readonly attributes?: readonly {
          readonly key: string;
          readonly value: Readonly<Record<string, unknown>>;
        }[];
      }[];
    }[];
  }[];
}

/** A real OTLP/HTTP receiver: takes what the platform's processes export and keeps it. */
export async function otlpReceiver(): Promise<{
  readonly url: string;
  readonly spans: readonly ReceivedSpan[];
  close(): Promise<void>;
}> {
  const spans: ReceivedSpan[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(Buffer.from(chunk));
    // The exporter's format, which is what this receiver exists to read.
    const body = JSON.parse(Buffer.concat(chunks).toString("utf8")) as OtlpBody;
    for (const span of (body.resourceSpans ?? []).flatMap(({ scopeSpans = [] }) =>
      scopeSpans.flatMap((scope) => scope.spans ?? []),
    )) {
      const attributes = Object.fromEntries(
        (span.attributes ?? []).map(({ key, value }) => [key, Object.values(value)[0]]),
      );
      const { traceId, spanId, name, parentSpanId = "" } = span;
      spans.push({ traceId, spanId, parentSpanId, name, attributes });
    }
    response.setHeader("content-type", "application/json").end("{}");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    spans,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
