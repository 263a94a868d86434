/** The calls that went through the gateway, newest first, and one of them in full. */
import { keepPreviousData, queryOptions } from "@tanstack/react-query";

import { getRequest, listRequests } from "@/api/generated/control";
import { polling } from "@/api/queryClient";
import type { RequestsSearch } from "@/app/search";

const PER_PAGE = 50;

export type RequestFilter = Omit<RequestsSearch, "request">;

export const requestsQuery = (filter: RequestFilter) =>
  queryOptions({
    queryKey: ["requests", "page", filter],
    queryFn: ({ signal }) => listRequests({ ...filter, ...lists(filter), limit: PER_PAGE }, { signal }),
    placeholderData: keepPreviousData,
    // Older pages do not change; the newest does.
    ...(filter.cursor ? {} : polling),
  });

/** The API takes several values of each; the page chooses one. */
const list = (value: string | undefined) => (value === undefined ? undefined : [value]);

const lists = ({ provider_id, model, api_key_id, team_id }: RequestFilter) => ({
  provider_id: list(provider_id),
  model: list(model),
  api_key_id: list(api_key_id),
  team_id: list(team_id),
});

export const requestQuery = (id: string) =>
  queryOptions({
    queryKey: ["requests", "one", id],
    queryFn: ({ signal }) => getRequest(encodeURIComponent(id), { signal }),
    staleTime: Infinity,
  });
