/** The chosen period and bucket, kept in the URL of whatever page shows them. */
import { useNavigate, useSearch } from "@tanstack/react-router";

import type { Bucket, Period } from "@/api/types";
import type { RangeSearch } from "@/app/search";

import { DEFAULT_PERIOD, defaultBucket } from "./queries";

export interface Range {
  period: Period;
  bucket: Bucket;
  choose: (range: { period: Period; bucket?: Bucket }) => void;
}

export function useRange(): Range {
  const search: RangeSearch = useSearch({ strict: false });
  const navigate = useNavigate();
  const period = search.period ?? DEFAULT_PERIOD;
  return {
    period,
    bucket: search.bucket ?? defaultBucket(period),
    choose: (range) =>
      void navigate({
        to: ".",
        search: (before: Record<string, unknown>) => ({ ...before, ...range, bucket: range.bucket }),
        replace: true,
        resetScroll: false,
      } as never),
  };
}
