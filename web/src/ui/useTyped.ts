/** What is typed into a filter that stands in the address: reported after a rest, and never lost on the way. */
import { useDebouncedCallback } from "@mantine/hooks";
import { useState } from "react";

/**
 * The field's text, and what to call with each change of it. It follows `value` when the address changes by other
 * means (back, a cleared filter), but not while what was typed is on its way there: until then the field knows better.
 */
export function useTyped(
  value: string,
  onReport: (text: string) => void,
  restMs: number,
): [string, (text: string) => void] {
  const [typed, setTyped] = useState(value);
  const [seen, setSeen] = useState(value);
  const [underWay, setUnderWay] = useState<string>();
  if (value !== seen) {
    setSeen(value);
    if (value === underWay) setUnderWay(undefined);
    else if (underWay === undefined) setTyped(value);
  }
  const reportLater = useDebouncedCallback(onReport, restMs);
  const type = (text: string): void => {
    setTyped(text);
    setUnderWay(text.trim() === value ? undefined : text.trim());
    (restMs === 0 ? onReport : reportLater)(text.trim());
  };
  return [typed, type];
}
