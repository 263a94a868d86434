/** Savings advice of the last 30 days. */
import { queryOptions } from "@tanstack/react-query";

import { getSavings } from "@/api/generated/control";

export const savingsQuery = queryOptions({
  queryKey: ["savings"],
  queryFn: ({ signal }) => getSavings({ signal }),
  staleTime: 60_000,
});
