/** The calls that went through the gateway, newest first, and one of them in full. */
import { keepPreviousData, queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";

import { getReplayOptions, getRequest, getRequestBodies, listRequests, replayRequest } from "@/api/generated/control";
import { polling } from "@/api/queryClient";
import type { ReplayInput } from "@/api/types";
import type { RequestsSearch } from "@/app/search";
import { filterParams } from "@/features/usage/filters";

const PER_PAGE = 50;

export type RequestFilter = Omit<RequestsSearch, "request" | "cursor" | "live" | "saved">;

/** The filter as the API takes it. */
export const paramsOf = (filter: RequestFilter) => ({
  ...filterParams(filter),
  search: filter.search,
  error_type: filter.error_type === undefined ? undefined : [filter.error_type],
  min_cost_usd: filter.min_cost_usd === undefined ? undefined : Number(filter.min_cost_usd),
  min_duration_ms: filter.min_duration_ms === undefined ? undefined : Number(filter.min_duration_ms),
  from_at: filter.from_at,
  to_at: filter.to_at,
});

/** While the list is live it is loaded once; what comes after is added to it. */
export const requestsQuery = (filter: RequestFilter, cursor: string | undefined, isLive: boolean) =>
  queryOptions({
    queryKey: ["requests", "page", filter, cursor],
    queryFn: ({ signal }) => listRequests({ ...paramsOf(filter), cursor, limit: PER_PAGE }, { signal }),
    placeholderData: keepPreviousData,
    // Older pages do not change; the newest does.
    ...(isLive ? { refetchOnWindowFocus: false } : cursor ? {} : polling),
  });

export const requestQuery = (id: string) =>
  queryOptions({
    queryKey: ["requests", "one", id],
    queryFn: ({ signal }) => getRequest(encodeURIComponent(id), { signal }),
    staleTime: Infinity,
  });

/** Asked for once per look, and forgotten with the page. */
export const bodiesQuery = (id: string) =>
  queryOptions({
    queryKey: ["requests", "bodies", id],
    queryFn: ({ signal }) => getRequestBodies(encodeURIComponent(id), { signal }),
    staleTime: Infinity,
    gcTime: 0,
    retry: false,
  });

/** Whether a request can be sent again, and to whom: as providers and models are now. */
export const replayOptionsQuery = (id: string) =>
  queryOptions({
    queryKey: ["requests", "replay", id],
    queryFn: ({ signal }) => getReplayOptions(encodeURIComponent(id), { signal }),
    gcTime: 0,
  });

export function useReplay(id: string) {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: (to: ReplayInput) => replayRequest(encodeURIComponent(id), to),
    // The request alone: to load its bodies again would be another look at them.
    onSettled: () => queryClient.invalidateQueries({ queryKey: requestQuery(id).queryKey }),
  });
}
