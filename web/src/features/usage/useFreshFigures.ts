/** Asks for the reader's own figures anew as soon as one of their keys has called. */
import { queryOptions, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef } from "react";

import { getMyActivity } from "@/api/generated/control";
import type { Activity } from "@/api/types";

const LOOK_MS = 2000;
const FIGURES = [["usage", "own"], ["api-keys", "own"], ["provider-keys"], ["budgets"]] as const;

const activityQuery = queryOptions({
  queryKey: ["activity"],
  queryFn: ({ signal }) => getMyActivity({ signal }),
  refetchInterval: LOOK_MS,
  refetchIntervalInBackground: false,
});

const mark = (activity: Activity | undefined): string | undefined =>
  activity && `${activity.requests_24h} ${activity.last_request_at}`;

export function useFreshFigures(): void {
  const queryClient = useQueryClient();
  // What was known when one of these pages was left: figures that are still kept are of that time.
  const seen = useRef(mark(queryClient.getQueryData(activityQuery.queryKey)));
  const now = mark(useQuery(activityQuery).data);
  useEffect(() => {
    if (now === undefined) return;
    const isNews = seen.current !== undefined && seen.current !== now;
    seen.current = now;
    if (isNews) for (const queryKey of FIGURES) void queryClient.invalidateQueries({ queryKey });
  }, [now, queryClient]);
}
