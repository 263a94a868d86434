/** The calls that went through the gateway, newest first, and one of them in full. */
import { keepPreviousData, queryOptions } from "@tanstack/react-query";

import { api } from "@/api/api";
import { polling } from "@/api/queryClient";
import type { RequestDetail, RequestRow } from "@/api/types";
import type { RequestsSearch } from "@/app/search";

const PER_PAGE = 50;

export type RequestFilter = Omit<RequestsSearch, "request">;

export const requestsQuery = (filter: RequestFilter) =>
  queryOptions({
    queryKey: ["requests", "page", filter],
    queryFn: ({ signal }) =>
      api.get<{ requests: RequestRow[]; next_cursor: string | null }>(
        "/llm/requests",
        { ...filter, limit: PER_PAGE },
        signal,
      ),
    placeholderData: keepPreviousData,
    // Older pages do not change; the newest does.
    ...(filter.cursor ? {} : polling),
  });

export const requestQuery = (id: string) =>
  queryOptions({
    queryKey: ["requests", "one", id],
    queryFn: ({ signal }) => api.get<RequestDetail>(`/llm/requests/${encodeURIComponent(id)}`, undefined, signal),
    staleTime: Infinity,
  });
