/** What was told to whom, and a test of either way. */
import { queryOptions, useMutation } from "@tanstack/react-query";

import { listNotifications, testNotifications } from "@/api/generated/control";
import type { NotificationChannel } from "@/api/types";

export const notificationsQuery = queryOptions({
  queryKey: ["notifications"],
  queryFn: async ({ signal }) => (await listNotifications({ limit: 20 }, { signal })).notifications,
  refetchInterval: 15_000,
});

export function useTestNotifications() {
  return useMutation({ mutationFn: (channel: NotificationChannel) => testNotifications({ channel }) });
}
