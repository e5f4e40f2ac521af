import { credentials, loadPackageDefinition, Metadata } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { checkoutRoot } from "@trainyard/local";

interface ReflectionResponse {
  readonly listServicesResponse?: { readonly service: readonly { readonly name: string }[] };
  readonly fileDescriptorResponse?: { readonly fileDescriptorProto: readonly Uint8Array[] };
}
interface ReflectionStream extends AsyncIterable<ReflectionResponse> {
  write(request: unknown): void;
  end(): void;
}
interface ReflectionClient {
  ServerReflectionInfo(metadata: Metadata): ReflectionStream;
  close(): void;
}
type ReflectionConstructor = new (address: string, credentials: unknown) => ReflectionClient;

/** What `grpcurl list` shows of a server, and how many files describe one of its services: by grpc.reflection.v1. */
export async function serviceList(
  url: string,
  symbol: string,
): Promise<{ readonly services: readonly string[]; readonly files: number }> {
  const definition = loadSync("grpc/reflection/v1/reflection.proto", {
    includeDirs: [`${checkoutRoot}/proto`],
    oneofs: true,
  });
  // grpc-js builds the client class at run time, so its type has to be told.
  const root = loadPackageDefinition(definition) as unknown as {
    readonly grpc: {
      readonly reflection: { readonly v1: { readonly ServerReflection: ReflectionConstructor } };
    };
  };
  const { ServerReflection } = root.grpc.reflection.v1;
  const client = new ServerReflection(new URL(url).host, credentials.createInsecure());
  const stream = client.ServerReflectionInfo(new Metadata());
  stream.write({ listServices: "" });
  stream.write({ fileContainingSymbol: symbol });
  stream.end();
  const services: string[] = [];
  let files = 0;
  for await (const { listServicesResponse, fileDescriptorResponse } of stream) {
    services.push(...(listServicesResponse?.service ?? []).map(({ name }) => name));
    files += fileDescriptorResponse?.fileDescriptorProto.length ?? 0;
  }
  client.close();
  return { services, files };
}
