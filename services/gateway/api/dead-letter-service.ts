import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import { type Bus, type DeadLetter, listDeadLetters, replayDeadLetter, showDeadLetter } from "@trainyard/bus";
import { gateway } from "@trainyard/contracts";
import { DomainError } from "@trainyard/domain";
import { mutate } from "@trainyard/service";
import type { Store } from "@trainyard/store";

/** What the dead-letter RPCs work with. */
export interface DeadLetterParts {
  readonly bus: Bus;
  readonly store: Store;
}

/** DeadLetterService: messages of all projects, so for admins only. */
export function deadLetterService({
  bus,
  store,
}: DeadLetterParts): ServiceImpl<typeof gateway.DeadLetterService> {
  return {
    async listDeadLetters() {
      const deadLetters = (await listDeadLetters(bus)).map((letter) => letterToProto(letter, false));
      return create(gateway.ListDeadLettersResponseSchema, { deadLetters });
    },

    async getDeadLetter({ id }) {
      const letter = await showDeadLetter(bus, id);
      if (letter === undefined) throw notFound(id);
      return create(gateway.GetDeadLetterResponseSchema, { deadLetter: letterToProto(letter, true) });
    },

    async replayDeadLetter(request, context) {
      const schema = gateway.ReplayDeadLetterResponseSchema;
      // Kept outside the transaction, whose function may run again after the letter has been replayed and removed.
      let replayed: DeadLetter | undefined;
      return mutate(store, request, context, schema, async () => {
        replayed ??= await replayDeadLetter(bus, request.id);
        if (replayed === undefined) throw notFound(request.id);
        return create(schema, { subject: replayed.subject });
      });
    },
  };
}

function letterToProto(letter: DeadLetter, withPayload: boolean): gateway.DeadLetter {
  const { id, stream, consumer, subject, reason, deliveries, at, data } = letter;
  return create(gateway.DeadLetterSchema, {
    id,
    stream,
    consumer,
    subject,
    reason,
    deliveries: BigInt(deliveries),
    at: timestampFromDate(at),
    ...(withPayload ? { payload: data } : {}),
  });
}

function notFound(id: string): DomainError {
  const shown = JSON.stringify(id.slice(0, 64));
  return new DomainError(
    "not_found",
    "DEAD_LETTER_NOT_FOUND",
    `There is no dead letter ${shown}: it was replayed or has expired (trainyard dead-letters list).`,
  );
}
