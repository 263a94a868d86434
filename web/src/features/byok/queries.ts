/** Own keys as an admin sees them, and the policy over them. */
import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";

import { getByokSummary, listByokUsers, updateSettings } from "@/api/generated/control";
import { polling } from "@/api/queryClient";
import type { ByokPolicy } from "@/api/types";

export const byokSummaryQuery = queryOptions({
  queryKey: ["byok", "summary"],
  queryFn: ({ signal }) => getByokSummary({ signal }),
  ...polling,
});

export const byokUsersQuery = queryOptions({
  queryKey: ["byok", "users"],
  queryFn: ({ signal }) => listByokUsers({ signal }).then((answer) => answer.users),
  ...polling,
});

export function useChangePolicy() {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: (policy: ByokPolicy) => updateSettings({ byok: { policy } }),
    onSettled: () =>
      Promise.all([
        queryClient.invalidateQueries({ queryKey: ["byok"] }),
        queryClient.invalidateQueries({ queryKey: ["settings"] }),
      ]),
  });
}
