/** The global routing strategy: read, and changed at once with a roll-back when the server refuses. */
import { notifications } from "@mantine/notifications";
import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";

import { api } from "@/api/api";
import { polling } from "@/api/queryClient";
import { asApiError } from "@/api/request";
import type { RoutingRules, Strategy } from "@/api/types";

import { strategyLabel } from "./strategies";

export const routingQuery = queryOptions({
  queryKey: ["routing"],
  queryFn: ({ signal }) => api.get<RoutingRules>("/llm/routing/rules", undefined, signal),
  ...polling,
});

export function useChangeStrategy() {
  const queryClient = useQueryClient();
  return useMutation({
    mutationKey: ["routing", "change"],
    mutationFn: (strategy: Strategy) => api.put<RoutingRules>("/llm/routing/rules", { strategy }),
    onMutate: async (strategy) => {
      await queryClient.cancelQueries({ queryKey: routingQuery.queryKey });
      const before = queryClient.getQueryData(routingQuery.queryKey);
      if (before) queryClient.setQueryData(routingQuery.queryKey, { ...before, strategy });
      return { before };
    },
    onSuccess: (rules) => queryClient.setQueryData(routingQuery.queryKey, rules),
    onError: (error, strategy, context) => {
      if (context?.before) queryClient.setQueryData(routingQuery.queryKey, context.before);
      notifications.show({
        color: "red",
        title: `"${strategyLabel(strategy)}" was not saved`,
        message: asApiError(error).message,
      });
    },
  });
}
