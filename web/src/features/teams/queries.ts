/** Teams: who shares a purse, and what it has cost this month. */
import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";

import { createTeam, deleteTeam, listTeams, updateTeam } from "@/api/generated/control";
import { polling } from "@/api/queryClient";
import type { Team, TeamInput } from "@/api/types";

export const teamsQuery = queryOptions({
  queryKey: ["teams"],
  queryFn: ({ signal }) => listTeams({ signal }),
  ...polling,
});

/** A team's keys and budgets end with it, so they are asked anew too. */
function useRefresh(): () => Promise<unknown> {
  const queryClient = useQueryClient();
  return () =>
    Promise.all(["teams", "api-keys", "budgets"].map((noun) => queryClient.invalidateQueries({ queryKey: [noun] })));
}

export function useSaveTeam(team: Team | null) {
  const refresh = useRefresh();
  return useMutation({
    mutationFn: (input: TeamInput) => (team === null ? createTeam(input) : updateTeam(team.id, input)),
    onSuccess: refresh,
  });
}

export function useDeleteTeam(id: string) {
  const refresh = useRefresh();
  return useMutation({ mutationFn: () => deleteTeam(id), onSuccess: refresh });
}
