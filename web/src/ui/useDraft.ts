/** What is typed over a value of the server: it stays, whatever the server says meanwhile. */
import { useState, type Dispatch, type SetStateAction } from "react";

const isSame = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other);

/**
 * A field's value that follows the server's while nobody typed another one, and once what was `sent` is saved.
 * What is typed while a save is under way is newer than both, and stays.
 */
export function useDraft<T>(value: T, sent?: T): [T, Dispatch<SetStateAction<T>>] {
  const [typed, setTyped] = useState(value);
  const [known, setKnown] = useState(value);
  if (!isSame(value, known)) {
    setKnown(value);
    if (isSame(typed, known) || isSame(typed, sent)) setTyped(value);
  }
  return [typed, setTyped];
}
