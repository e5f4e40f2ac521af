import { randomUUID } from "node:crypto";
import { gateway } from "@trainyard/contracts";
import type { Session } from "../session.ts";
import { fields } from "../terminal/fields.ts";
import type { Column } from "../terminal/table.ts";
import { safeText } from "../terminal/text.ts";

/** Lists the dead letters. */
export async function listDeadLetters(session: Session): Promise<void> {
  const { deadLetters } = await session.clients();
  const response = await deadLetters.listDeadLetters({});
  if (session.json) {
    session.printMessage(gateway.ListDeadLettersResponseSchema, response);
    return;
  }
  const columns: Column<gateway.DeadLetter>[] = [
    { title: "id", cell: ({ id }) => id },
    { title: "at", cell: ({ at }) => session.time(at) },
    { title: "consumer", cell: ({ consumer }) => consumer },
    { title: "subject", cell: ({ subject }) => subject },
    { title: "tries", cell: ({ deliveries }) => String(deliveries) },
    { title: "reason", cell: ({ reason }) => reason },
  ];
  session.printTable(columns, response.deadLetters, "No dead letters: every event was taken.");
}

/** Shows one dead letter with what it says. */
export async function showDeadLetter(session: Session, id: string): Promise<void> {
  const { deadLetters } = await session.clients();
  const { deadLetter } = await deadLetters.getDeadLetter({ id });
  if (deadLetter === undefined) throw new Error("the gateway answered without a dead letter");
  if (session.json) {
    session.printMessage(gateway.DeadLetterSchema, deadLetter);
    return;
  }
  session.print(
    fields([
      ["id", deadLetter.id],
      ["at", session.time(deadLetter.at)],
      ["consumer", deadLetter.consumer],
      ["subject", deadLetter.subject],
      ["tries", String(deadLetter.deliveries)],
      ["reason", deadLetter.reason],
    ]),
  );
  session.print(`\n${safeText(pretty(deadLetter.payload))}`);
}

/** Hands a dead letter to its consumers again. */
export async function replayDeadLetter(session: Session, id: string): Promise<void> {
  const { deadLetters } = await session.clients();
  const response = await deadLetters.replayDeadLetter({ requestId: randomUUID(), id });
  if (session.json) session.printMessage(gateway.ReplayDeadLetterResponseSchema, response);
  else session.print(`replayed to ${response.subject}`);
}

function pretty(payload: Uint8Array): string {
  const text = Buffer.from(payload).toString("utf8");
  try {
    return JSON.stringify(JSON.parse(text), undefined, 2);
  } catch {
    return text;
  }
}
