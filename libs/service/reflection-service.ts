import { create, type DescFile, type DescService, toBinary } from "@bufbuild/protobuf";
import { nestedTypes } from "@bufbuild/protobuf/reflect";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Code, type ServiceImpl } from "@connectrpc/connect";
import { reflection as contract } from "@trainyard/contracts";

type Answer = contract.ServerReflectionResponse["messageResponse"];

/**
 * grpc.reflection.v1 (https://grpc.io/docs/guides/reflection/) over the services that a server offers, so that
 * `grpcurl` and its like need no proto files. Files are answered with all that they import.
 */
export function reflectionService(
  services: readonly DescService[],
): ServiceImpl<typeof contract.ServerReflection> {
  const index = indexFiles(services);
  return {
    async *serverReflectionInfo(requests) {
      for await (const request of requests) {
        yield {
          validHost: request.host,
          originalRequest: request,
          messageResponse: answer(index, services, request.messageRequest),
        };
      }
    },
  };
}

interface FileIndex {
  readonly byPath: ReadonlyMap<string, DescFile>;
  readonly bySymbol: ReadonlyMap<string, DescFile>;
  /** By extended message and field number. */
  readonly byExtension: ReadonlyMap<string, ReadonlyMap<number, DescFile>>;
}

function answer(
  index: FileIndex,
  services: readonly DescService[],
  request: contract.ServerReflectionRequest["messageRequest"],
): Answer {
  switch (request.case) {
    case "listServices":
      return {
        case: "listServicesResponse",
        value: create(contract.ListServiceResponseSchema, {
          service: services.map((service) => ({ name: service.typeName })),
        }),
      };
    case "fileByFilename":
      return filesAnswer(index.byPath.get(request.value), request.value);
    case "fileContainingSymbol":
      return filesAnswer(index.bySymbol.get(request.value), request.value);
    case "fileContainingExtension": {
      const { containingType, extensionNumber } = request.value;
      const file = index.byExtension.get(containingType)?.get(extensionNumber);
      return filesAnswer(file, `extension ${extensionNumber} of ${containingType}`);
    }
    case "allExtensionNumbersOfType":
      return {
        case: "allExtensionNumbersResponse",
        value: create(contract.ExtensionNumberResponseSchema, {
          baseTypeName: request.value,
          extensionNumber: [...(index.byExtension.get(request.value)?.keys() ?? [])],
        }),
      };
    case undefined:
      return errorAnswer(Code.InvalidArgument, "the request asks for nothing");
  }
}

function filesAnswer(file: DescFile | undefined, asked: string): Answer {
  if (file === undefined) return errorAnswer(Code.NotFound, `${asked} is not known here`);
  return {
    case: "fileDescriptorResponse",
    value: create(contract.FileDescriptorResponseSchema, {
      fileDescriptorProto: [...withImports(file)].map((one) =>
        toBinary(FileDescriptorProtoSchema, one.proto),
      ),
    }),
  };
}

function errorAnswer(errorCode: Code, errorMessage: string): Answer {
  return { case: "errorResponse", value: create(contract.ErrorResponseSchema, { errorCode, errorMessage }) };
}

function indexFiles(services: readonly DescService[]): FileIndex {
  const files = new Set(services.flatMap((service) => [...withImports(service.file)]));
  const byPath = new Map<string, DescFile>();
  const bySymbol = new Map<string, DescFile>();
  const byExtension = new Map<string, Map<number, DescFile>>();
  for (const file of files) {
    // A descriptor's name has no suffix; on the wire it has.
    byPath.set(`${file.name}.proto`, file);
    for (const type of nestedTypes(file)) {
      bySymbol.set(type.typeName, file);
      if (type.kind === "service") {
        for (const method of type.methods) bySymbol.set(`${type.typeName}.${method.name}`, file);
      }
      if (type.kind === "extension") {
        const numbers = byExtension.get(type.extendee.typeName) ?? new Map<number, DescFile>();
        byExtension.set(type.extendee.typeName, numbers.set(type.number, file));
      }
    }
  }
  return { byPath, bySymbol, byExtension };
}

function withImports(file: DescFile, seen = new Set<DescFile>()): Set<DescFile> {
  if (seen.has(file)) return seen;
  seen.add(file);
  for (const dependency of file.dependencies) withImports(dependency, seen);
  return seen;
}
