/** Figures of a period, for everybody or for oneself; refreshed every 30 seconds. */
import { keepPreviousData, queryOptions } from "@tanstack/react-query";

import { exploreUsage, getMyUsage, getUsage } from "@/api/generated/control";
import { polling } from "@/api/queryClient";
import type { Bucket, Dimension, OwnUsage, Period, Usage } from "@/api/types";
import type { FilterSearch, UsageSearch } from "@/app/search";

import { filterOf, filterParams, NONE, PARAMETERS } from "./filters";
import { valueLabel } from "./words";

/** The whole gateway's figures, or the reader's own. */
export type UsageOf = "gateway" | "own";

/** The cards on top of the providers' page come with the gateway's figures only. */
export type UsageFigures = OwnUsage & Partial<Pick<Usage, "cards">>;

export const DEFAULT_PERIOD: Period = "30d";

/** Days for a range that has few of them, months for all time. */
export function defaultBucket(period: Period): Bucket {
  return period === "all" ? "month" : "day";
}

export const usageQuery = (of: UsageOf, period: Period, bucket: Bucket) =>
  queryOptions({
    queryKey: ["usage", of, period, bucket],
    queryFn: ({ signal }): Promise<UsageFigures> =>
      of === "own" ? getMyUsage({ period, bucket }, { signal }) : getUsage({ period, bucket }, { signal }),
    placeholderData: keepPreviousData,
    ...polling,
  });

export const exploreQuery = (search: UsageSearch) => {
  const period = search.period ?? DEFAULT_PERIOD;
  const group = search.group ?? "provider";
  const params = {
    metric: search.metric ?? "cost",
    ...(group !== "none" && { group }),
    period,
    bucket: search.bucket ?? defaultBucket(period),
    ...filterParams(filterOf(search)),
  };
  return queryOptions({
    queryKey: ["usage", "explore", params],
    queryFn: ({ signal }) => exploreUsage(params, { signal }),
    placeholderData: keepPreviousData,
    ...polling,
  });
};

export interface Choice {
  value: string;
  label: string;
}

/** The values of a dimension that had calls, most called first; with a filter, what that leaves of them. */
export const choicesQuery = (dimension: Dimension, filter: FilterSearch = {}) =>
  queryOptions({
    queryKey: ["usage", "choices", dimension, filter],
    queryFn: ({ signal }): Promise<Choice[]> =>
      exploreUsage(
        { metric: "calls", group: dimension, period: "all", bucket: "month", top: 50, ...filterParams(filter) },
        { signal },
      ).then((answer) =>
        answer.groups.flatMap(({ value, name }) =>
          // A status is a number; the few requests without one cannot be asked for.
          value === null && dimension === "status"
            ? []
            : [{ value: value ?? NONE, label: valueLabel(dimension, value, name) }],
        ),
      ),
    staleTime: 60_000,
  });

/** What one value of a dimension is called, also when it is not among the most called. */
export const nameQuery = (dimension: Dimension, value: string) =>
  choicesQuery(dimension, { [PARAMETERS[dimension]]: value });
