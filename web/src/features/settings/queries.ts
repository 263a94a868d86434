/** What an admin sets while the server runs. */
import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";

import { getSettings, updateSettings } from "@/api/generated/control";
import type { SettingsChange } from "@/api/types";

export const settingsQuery = queryOptions({
  queryKey: ["settings"],
  queryFn: ({ signal }) => getSettings({ signal }),
});

export function useChangeSettings() {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: (change: SettingsChange) => updateSettings(change),
    onSuccess: (settings) => queryClient.setQueryData(settingsQuery.queryKey, settings),
  });
}
