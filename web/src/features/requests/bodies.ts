/** Kept prompts and answers in words: what an answer says, in whichever format it came, and what redaction took out. */
import type { RequestBodies } from "@/api/types";
import { plural } from "@/format/format";

interface Piece {
  text?: unknown;
  content?: unknown;
  message?: Piece;
  refusal?: unknown;
}

interface Answer {
  choices?: Piece[];
  content?: Piece[];
  output?: Piece[];
  output_text?: unknown;
  error?: { message?: unknown };
}

/** The words alone, where there are any; else the whole answer as JSON. */
export function answerText(content: unknown): string {
  if (typeof content === "string") return content;
  const answer = (content ?? {}) as Answer;
  const said = [answer.error?.message, answer.output_text, ...[answer.choices, answer.content, answer.output].flatMap(wordsOf)]
    .filter((words) => typeof words === "string" && words !== "")
    .join("\n");
  return said || JSON.stringify(content, null, 2);
}

function wordsOf(pieces: unknown): unknown[] {
  if (!Array.isArray(pieces)) return [pieces];
  return (pieces as Piece[]).flatMap((piece) => [
    piece.text,
    piece.refusal,
    ...wordsOf(piece.content),
    ...(piece.message ? wordsOf([piece.message]) : []),
  ]);
}

const KINDS: Record<string, string> = {
  secret: "secret",
  email: "email address",
  phone: "phone number",
  card: "card number",
  file: "file",
};

/** "2 email addresses, 1 secret"; nothing where nothing had to go. */
export function removedParts(removed: RequestBodies["removed"]): string {
  return Object.entries(removed)
    .map(([kind, times]) => plural(times, KINDS[kind] ?? kind, kind === "email" ? "email addresses" : undefined))
    .join(", ");
}
