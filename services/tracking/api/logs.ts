import type { ServiceImpl } from "@connectrpc/connect";
import { type tracking, workeragent } from "@trainyard/contracts";
import { principalOf } from "@trainyard/service";
import type { Deps } from "../deps.ts";
import { MAX_TAIL_LINES } from "../domain/limits.ts";
import type { OutputLine } from "../domain/line-assembler.ts";
import { awaitRun } from "../operations/await-run.ts";
import { readLogs } from "../operations/read-logs.ts";
import { boundedNumber } from "../wire/numbers.ts";

/** Characters of lines in one message; at most three bytes each, so below the size that clients accept. */
const MAX_MESSAGE_CHARACTERS = 512 * 1024;

type Methods = Pick<ServiceImpl<typeof tracking.TrackingService>, "readLogs">;

/** The ranks' output. */
export function logsApi(deps: Deps): Methods {
  return {
    async *readLogs(request, context) {
      const { rank, attempt, follow } = request;
      const tailLines = boundedNumber("tail_lines", request.tailLines, 0, MAX_TAIL_LINES);
      const run = await awaitRun(deps, request.runId, principalOf(context), context.signal);
      const query = { rank, attempt, follow, tailLines };
      for await (const { source, lines } of readLogs(deps, run, query, context.signal)) {
        for (const some of inMessages(lines)) {
          yield {
            attempt: source.attempt,
            rank: source.rank,
            stream: source.kind === "stderr" ? workeragent.LogStream.STDERR : workeragent.LogStream.STDOUT,
            offset: BigInt(some[0]?.offset ?? 0),
            lines: some.map(({ text }) => text),
          };
        }
      }
    },
  };
}

/** The lines in portions that fit a message; one line alone always does. */
function* inMessages(lines: readonly OutputLine[]): Generator<OutputLine[]> {
  let some: OutputLine[] = [];
  let characters = 0;
  for (const line of lines) {
    if (some.length > 0 && characters + line.text.length > MAX_MESSAGE_CHARACTERS) {
      yield some;
      some = [];
      characters = 0;
    }
    some.push(line);
    characters += line.text.length;
  }
  if (some.length > 0) yield some;
}
