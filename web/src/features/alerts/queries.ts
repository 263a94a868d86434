/** Alerts: listed by state, acknowledged and muted; and the rules that they go by. */
import { keepPreviousData, queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";

import { listAlerts, updateAlert, updateSettings } from "@/api/generated/control";
import { polling } from "@/api/queryClient";
import type { AlertChange, AlertRules, AlertState } from "@/api/types";

const KEY = ["alerts"] as const;

export const alertsQuery = (state: AlertState, cursor?: string) =>
  queryOptions({
    queryKey: [...KEY, state, cursor],
    queryFn: ({ signal }) => listAlerts({ state, cursor }, { signal }),
    placeholderData: keepPreviousData,
    ...polling,
  });

/** How many are open that nobody has acknowledged or muted. */
export const ringingQuery = queryOptions({
  queryKey: [...KEY, "ringing"],
  queryFn: ({ signal }) => listAlerts({ state: "open", limit: 1 }, { signal }).then((answer) => answer.ringing),
  ...polling,
});

export function useUpdateAlert(id: string) {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: (change: AlertChange) => updateAlert(id, change),
    onSuccess: () => queryClient.invalidateQueries({ queryKey: KEY }),
  });
}

export function useSaveRules() {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: (alerts: AlertRules) => updateSettings({ alerts }),
    onSuccess: () =>
      Promise.all([[...KEY], ["settings"]].map((queryKey) => queryClient.invalidateQueries({ queryKey }))),
  });
}
