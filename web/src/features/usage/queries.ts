/** Figures of a period, for everybody or for oneself; refreshed every 30 seconds. */
import { keepPreviousData, queryOptions } from "@tanstack/react-query";

import { getMyUsage, getUsage } from "@/api/generated/control";
import { polling } from "@/api/queryClient";
import type { Bucket, OwnUsage, Period, Usage } from "@/api/types";

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
