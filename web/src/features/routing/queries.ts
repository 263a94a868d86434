/** The global routing strategy and its rules, read and changed; and what routing would make of a request. */
import { notifications } from "@mantine/notifications";
import { keepPreviousData, queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";

import { explainRoute, getRoutingRules, updateRoutingRules } from "@/api/generated/control";
import { polling } from "@/api/queryClient";
import { asApiError } from "@/api/request";
import type { RouteExplain, RoutingChange, Strategy } from "@/api/types";

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

/** The other rules; each place that changes them says itself how it went. */
export function useChangeRules() {
  const queryClient = useQueryClient();
  return useMutation({
    mutationKey: ["routing", "rules"],
    mutationFn: (change: RoutingChange) => updateRoutingRules(change),
    onSuccess: async (rules) => {
      await queryClient.cancelQueries({ queryKey: routingQuery.queryKey });
      queryClient.setQueryData(routingQuery.queryKey, rules);
    },
  });
}

export const routeQuery = (wanted: RouteExplain) =>
  queryOptions({
    queryKey: ["route", wanted],
    queryFn: ({ signal }) => explainRoute(wanted, { signal }),
    placeholderData: keepPreviousData,
    staleTime: 0,
    gcTime: 60_000,
  });
