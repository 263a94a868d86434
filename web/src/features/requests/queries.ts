/** The calls that went through the gateway, newest first, and one of them in full. */
import { keepPreviousData, queryOptions } from "@tanstack/react-query";

import { getRequest, listRequests } from "@/api/generated/control";
import { polling } from "@/api/queryClient";
import type { RequestsSearch } from "@/app/search";
import { filterParams } from "@/features/usage/filters";

const PER_PAGE = 50;

export type RequestFilter = Omit<RequestsSearch, "request">;

export const requestsQuery = (filter: RequestFilter) =>
  queryOptions({
    queryKey: ["requests", "page", filter],
    queryFn: ({ signal }) => listRequests({ ...filter, ...filterParams(filter), limit: PER_PAGE }, { signal }),
    placeholderData: keepPreviousData,
    // Older pages do not change; the newest does.
    ...(filter.cursor ? {} : polling),
  });

export const requestQuery = (id: string) =>
  queryOptions({
    queryKey: ["requests", "one", id],
    queryFn: ({ signal }) => getRequest(encodeURIComponent(id), { signal }),
    staleTime: Infinity,
  });
