import { DomainError } from "@trainyard/domain";
import type { PageRequest } from "../store/evaluation-repository.ts";

const defaultPageSize = 50;
const maxPageSize = 500;

export function pageFromProto(
  page: { readonly pageSize: number; readonly pageToken: string } | undefined,
): PageRequest {
  const size = page?.pageSize ?? 0;
  if (size < 0 || size > maxPageSize) {
    const description = `expected 0 to ${maxPageSize}, got ${size}`;
    throw new DomainError("invalid_argument", "PAGE_SIZE_INVALID", `page.page_size: ${description}.`, {
      violations: [{ field: "page.page_size", description }],
    });
  }
  return { size: size === 0 ? defaultPageSize : size, token: page?.pageToken ?? "" };
}
