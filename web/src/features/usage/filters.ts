/** The filters that usage and requests share: from the address to the API, and back from a figure to its requests. */
import type { Dimension, ExplorePoint } from "@/api/types";
import type { FilterSearch, RequestsSearch } from "@/app/search";

/** Which filter narrows to one value of a dimension; `control/usage/filters.py` has the same. */
export const PARAMETERS = {
  provider: "provider_id",
  model: "model",
  user: "user_id",
  team: "team_id",
  api_key: "api_key_id",
  tag: "tag",
  credential: "credential",
  status: "status_code",
  strategy: "strategy",
} as const satisfies Record<Dimension, keyof FilterSearch>;

/** As a filter: requests that have none of it. */
export const NONE = "none";

const list = <T>(value: T | undefined): T[] | undefined => (value === undefined ? undefined : [value]);

/** The API takes several values of each; a page chooses one. */
export const filterParams = (filter: FilterSearch) => ({
  status: filter.status,
  provider_id: list(filter.provider_id),
  model: list(filter.model),
  user_id: list(filter.user_id),
  team_id: list(filter.team_id),
  api_key_id: list(filter.api_key_id),
  tag: list(filter.tag),
  credential: list(filter.credential),
  status_code: list(filter.status_code === undefined ? undefined : Number(filter.status_code)),
  strategy: list(filter.strategy),
});

export const filterOf = (search: FilterSearch): FilterSearch => ({
  status: search.status,
  provider_id: search.provider_id,
  model: search.model,
  user_id: search.user_id,
  team_id: search.team_id,
  api_key_id: search.api_key_id,
  tag: search.tag,
  credential: search.credential,
  status_code: search.status_code,
  strategy: search.strategy,
});

export const NO_FILTER: FilterSearch = filterOf({});

/** How many of the filters are used. */
export const usedOf = (filter: FilterSearch): number =>
  Object.values(filterOf(filter)).filter((value) => value !== undefined).length;

/** The `requests` of a figure as a search of the requests' page; narrowed to a point of it. */
export function requestsBehind(query: string, point?: ExplorePoint): RequestsSearch {
  const search = Object.fromEntries(new URLSearchParams(query)) as RequestsSearch;
  return point ? { ...search, from_at: point.start_at, to_at: point.end_at } : search;
}
