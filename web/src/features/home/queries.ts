/** The home page's figures, refreshed every 30 seconds. */
import { keepPreviousData, queryOptions } from "@tanstack/react-query";

import { getHome } from "@/api/generated/control";
import { polling } from "@/api/queryClient";
import type { HomeSpan } from "@/api/types";

export const homeQuery = (span: HomeSpan) =>
  queryOptions({
    queryKey: ["home", span],
    queryFn: ({ signal }) => getHome({ span }, { signal }),
    placeholderData: keepPreviousData,
    ...polling,
  });
