import type { DescEnum, DescField, DescMessage, JsonValue, MessageShape } from "@bufbuild/protobuf";
import { toJson } from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";

/**
 * A message as REST clients get it: snake_case, every scalar field there, enums as their lower-case words ("completed"),
 * 64-bit integers as numbers, times in RFC 3339, an absent message as null, NaN and infinities as ProtoJSON spells
 * them. ProtoJSON itself would give numbers as strings and enums with their prefix, made for code and not for people.
 */
export function messageJson<D extends DescMessage>(schema: D, message: MessageShape<D>): JsonValue {
  return ofMessage(reflect(schema, message));
}

function ofMessage(message: ReflectMessage): JsonValue {
  const { desc } = message;
  if (desc.typeName.startsWith("google.protobuf.")) return toJson(desc, message.message);
  return Object.fromEntries(desc.fields.map((field) => [field.name, ofField(message, field)]));
}

function ofField(message: ReflectMessage, field: DescField): JsonValue {
  switch (field.fieldKind) {
    case "message":
      return message.isSet(field) ? ofMessage(message.get(field)) : null;
    case "list": {
      const word = field.listKind === "enum" ? field.enum : undefined;
      return Array.from(message.get(field), (item) => ofValue(item, word));
    }
    case "map": {
      const word = field.mapKind === "enum" ? field.enum : undefined;
      const entries = Array.from(
        message.get(field),
        ([key, item]) => [String(key), ofValue(item, word)] as const,
      );
      return Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)));
    }
    case "enum":
      return ofValue(message.get(field), field.enum);
    case "scalar":
      return ofValue(message.get(field), undefined);
  }
}

function ofValue(value: unknown, word: DescEnum | undefined): JsonValue {
  if (word !== undefined && typeof value === "number") return enumWord(word, value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
  if (typeof value === "string" || typeof value === "boolean") return value;
  if (isReflected(value)) return ofMessage(value);
  return null;
}

function isReflected(value: unknown): value is ReflectMessage {
  return typeof value === "object" && value !== null && "desc" in value && "message" in value;
}

/** RUN_STATUS_COMPLETED is "completed"; the unspecified value is null; a newer one than we know is its number. */
function enumWord(desc: DescEnum, value: number): JsonValue {
  if (value === 0) return null;
  const name = desc.value[value]?.name;
  if (name === undefined) return value;
  const prefix = desc.sharedPrefix ?? "";
  return name.slice(name.toLowerCase().startsWith(prefix) ? prefix.length : 0).toLowerCase();
}
