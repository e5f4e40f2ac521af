import { execFileSync } from "node:child_process";
import { fromBinary } from "@bufbuild/protobuf";
import { type FileDescriptorProto, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { type EventType, eventStreamName, eventSubject, eventTypes } from "@trainyard/contracts";
import { checkoutRoot } from "../checkout.ts";

/** The protos with their comments, which the generated code does not carry. */
function describeProtos(): readonly FileDescriptorProto[] {
  const binary = execFileSync("buf", ["build", "--output", "-#format=binpb"], {
    cwd: checkoutRoot,
    maxBuffer: 64 * 1024 * 1024,
  });
  return fromBinary(FileDescriptorSetSchema, binary).file;
}

/** Numbers of descriptor.proto that make up a comment's path: file → message → field. */
const messageOfFile = 4;
const fieldOfMessage = 2;

function commentAt(file: FileDescriptorProto, ...path: number[]): string {
  const key = path.join(".");
  const location = file.sourceCodeInfo?.location.find((candidate) => candidate.path.join(".") === key);
  return (location?.leadingComments ?? "").trim().replaceAll(/\s*\n\s*/g, " ");
}

function section(type: EventType, files: readonly FileDescriptorProto[]): string {
  const file = files.find(({ name }) => name === type.schema.file.proto.name);
  if (file === undefined) throw new Error(`buf build gave no ${type.schema.file.proto.name}`);
  const index = file.messageType.findIndex(({ name }) => name === type.schema.name);
  const comment = commentAt(file, messageOfFile, index).replace(new RegExp(`^${type.schema.name}:? `), "");
  const subject = eventSubject("PROJECT", type, "ID").replace("PROJECT", "<project>").replace("ID", "<id>");
  const fields = type.schema.fields.map(
    (field, position) =>
      `| \`${field.jsonName}\` | ${fieldType(field)} | ${commentAt(file, messageOfFile, index, fieldOfMessage, position)} |`,
  );
  return [
    `### ${type.type}`,
    "",
    `${comment.charAt(0).toUpperCase()}${comment.slice(1)}`,
    "",
    `Subject \`${subject}\``,
    "",
    "| field of `data` | type | meaning |",
    "| --- | --- | --- |",
    ...fields,
    "",
  ].join("\n");
}

function fieldType(field: EventType["schema"]["fields"][number]): string {
  const single = field.message?.name ?? field.enum?.name ?? scalarNames[field.scalar ?? 0] ?? "map";
  return field.fieldKind === "list" ? `${single}[]` : single;
}

const scalarNames: Readonly<Record<number, string>> = {
  1: "double",
  2: "float",
  3: "int64",
  4: "uint64",
  5: "int32",
  8: "bool",
  9: "string",
  12: "bytes",
  13: "uint32",
};

const introduction = `# Events

Generated from the protos by \`npm run generate\`; do not edit. Each event is a CloudEvents 1.0 JSON message on NATS
JetStream, its \`data\` the ProtoJSON of the message below. Deliveries may repeat with the same \`id\`. The subject holds the
project and the aggregate's id, so that \`nats sub 'trainyard.<project>.>'\` follows one project.
`;

/** docs/EVENTS.md: every domain event with its subject, fields and the protos' own words. */
export function renderEventCatalogue(): string {
  const files = describeProtos();
  const services = [...new Set(eventTypes.map(({ service }) => service))];
  const chapters = services.map((service) => {
    const own = eventTypes.filter((type) => type.service === service);
    return `## ${service} (stream ${eventStreamName(service)})\n\n${own.map((type) => section(type, files)).join("\n")}`;
  });
  return `${[introduction, ...chapters].join("\n").trimEnd()}\n`;
}
