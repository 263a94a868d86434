/** Versions of routing: page by page, one of them, and the way back to it. */
import { keepPreviousData, queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";

import { getRoutingVersion, listRoutingVersions, rollBackRouting } from "@/api/generated/control";

const PER_PAGE = 50;

export const versionsQuery = (cursor: string | undefined) =>
  queryOptions({
    queryKey: ["routing-versions", "page", cursor],
    queryFn: ({ signal }) => listRoutingVersions({ limit: PER_PAGE, cursor }, { signal }),
    placeholderData: keepPreviousData,
  });

export const versionQuery = (version: number) =>
  queryOptions({
    queryKey: ["routing-versions", "one", version],
    queryFn: ({ signal }) => getRoutingVersion(version, { signal }),
  });

export function useRollBack(version: number) {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: (confirm: boolean) => rollBackRouting(version, { confirm }),
    // It touches providers, models, aliases, levels and the strategy: whatever is on screen may be old now.
    onSuccess: () => queryClient.invalidateQueries(),
  });
}
