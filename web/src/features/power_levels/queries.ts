/** The three power levels: what they cost and pick, and what an admin set. */
import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";

import { getOwnPowerLevel, getPowerLevels, updateMe, updateSettings } from "@/api/generated/control";
import type { PowerLevelSettings } from "@/api/generated/control.schemas";
import { polling } from "@/api/queryClient";
import type { PowerLevel } from "@/api/types";
import { sessionQuery } from "@/features/session/queries";

export const powerLevelsQuery = queryOptions({
  queryKey: ["power-levels"],
  queryFn: ({ signal }) => getPowerLevels({ signal }),
  ...polling,
});

export const ownPowerLevelQuery = queryOptions({
  queryKey: ["power-levels", "own"],
  queryFn: ({ signal }) => getOwnPowerLevel({ signal }),
});

export function useChangeLevels() {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: (power_levels: PowerLevelSettings) => updateSettings({ power_levels }),
    onSettled: () =>
      Promise.all([
        queryClient.invalidateQueries({ queryKey: powerLevelsQuery.queryKey }),
        queryClient.invalidateQueries({ queryKey: ["settings"] }),
      ]),
  });
}

export function useChangeOwnLevel() {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: (power_level: PowerLevel | null) => updateMe({ power_level }),
    onSettled: () =>
      Promise.all([
        queryClient.invalidateQueries({ queryKey: powerLevelsQuery.queryKey }),
        queryClient.invalidateQueries({ queryKey: sessionQuery.queryKey }),
      ]),
  });
}
