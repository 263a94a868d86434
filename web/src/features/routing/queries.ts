/** The global routing strategy: read and changed. */
import { notifications } from "@mantine/notifications";
import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";

import { getRoutingRules, updateRoutingRules } from "@/api/generated/control";
import { polling } from "@/api/queryClient";
import { asApiError } from "@/api/request";
import type { Strategy } from "@/api/types";

import { strategyLabel } from "./strategies";

export const routingQuery = queryOptions({
  queryKey: ["routing"],
  queryFn: ({ signal }) => getRoutingRules({ signal }),
  ...polling,
});

export function useChangeStrategy() {
  const queryClient = useQueryClient();
  return useMutation({
    mutationKey: ["routing", "change"],
    mutationFn: (strategy: Strategy) => updateRoutingRules({ strategy }),
    onSuccess: async (rules) => {
      // An answer that was under way from before the change must not undo it on screen.
      await queryClient.cancelQueries({ queryKey: routingQuery.queryKey });
      queryClient.setQueryData(routingQuery.queryKey, rules);
    },
    onError: (error, strategy) =>
      notifications.show({
        color: "red",
        title: `"${strategyLabel(strategy)}" was not saved`,
        message: asApiError(error).message,
      }),
  });
}
