/** New requests as they end: asks for what was stored since, every second while the tab is visible. */
import { useDocumentVisibility } from "@mantine/hooks";
import { useEffect, useReducer, useRef } from "react";

import { tailRequests } from "@/api/generated/control";
import type { RequestList, RequestRow } from "@/api/types";

import { paramsOf, type RequestFilter } from "./queries";

const EVERY_MS = 1000;
const LATE_MS = 4000;
const MOST_ROWS = 500;

interface Tail {
  /** What came since the list was loaded, the last to end first. */
  rows: RequestRow[];
  /** How many more came than could be shown. */
  skipped: number;
  /** The server has not answered for a while. */
  isLate: boolean;
}

type News = { kind: "start" } | { kind: "late" } | { kind: "rows"; rows: RequestRow[]; skipped: number };

const NOTHING: Tail = { rows: [], skipped: 0, isLate: false };

function told(tail: Tail, news: News): Tail {
  switch (news.kind) {
    case "start":
      return NOTHING;
    case "late":
      return { ...tail, isLate: true };
    case "rows":
      return news.rows.length === 0 && news.skipped === 0 && !tail.isLate
        ? tail
        : {
            rows: [...news.rows, ...tail.rows].slice(0, MOST_ROWS),
            skipped: tail.skipped + news.skipped,
            isLate: false,
          };
  }
}

/** `start` is the list as it was loaded; `onInterrupted` has to load it again. */
export function useTail(
  filter: RequestFilter,
  start: RequestList | undefined,
  isOn: boolean,
  onInterrupted: () => void,
): Tail & { isPaused: boolean } {
  const [tail, tell] = useReducer(told, NOTHING);
  const isVisible = useDocumentVisibility() === "visible";
  const after = useRef(0);
  const asked = useRef({ filter, onInterrupted });
  useEffect(() => {
    asked.current = { filter, onInterrupted };
  });

  useEffect(() => {
    after.current = start?.stored ?? 0;
    tell({ kind: "start" });
  }, [start]);

  useEffect(() => {
    if (!isOn || !start || !isVisible) return;
    const stop = new AbortController();
    let waiting: ReturnType<typeof setTimeout>;
    const look = async (): Promise<void> => {
      const late = setTimeout(() => tell({ kind: "late" }), LATE_MS);
      try {
        const params = { ...paramsOf(asked.current.filter), after: after.current };
        const found = await tailRequests(params, { signal: stop.signal });
        if (stop.signal.aborted) return;
        after.current = found.stored;
        if (found.interrupted) asked.current.onInterrupted();
        else tell({ kind: "rows", rows: found.requests, skipped: found.skipped });
      } catch {
        if (stop.signal.aborted) return;
        tell({ kind: "late" }); // and asked again: what is missed meanwhile comes then
      } finally {
        clearTimeout(late);
      }
      waiting = setTimeout(() => void look(), EVERY_MS);
    };
    waiting = setTimeout(() => void look(), EVERY_MS);
    return () => {
      stop.abort();
      clearTimeout(waiting);
    };
  }, [start, isOn, isVisible]);

  return { ...tail, isPaused: isOn && !isVisible };
}

/** What came since above what was there, none twice. */
export function withNew(rows: RequestRow[], listed: RequestRow[]): RequestRow[] {
  const known = new Set(listed.map((row) => row.id));
  return [...rows.filter((row) => !known.has(row.id)), ...listed];
}
