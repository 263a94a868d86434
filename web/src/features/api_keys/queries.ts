/** One's own API keys, and everybody's for administrators. */
import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";

import {
  createMyApiKey,
  createServiceKey,
  listApiKeys,
  listMyApiKeys,
  revokeApiKey,
  revokeMyApiKey,
  rotateMyApiKey,
  rotateServiceKey,
  updateApiKey,
  updateMyApiKey,
} from "@/api/generated/control";
import { polling } from "@/api/queryClient";
import type { ApiKeyChange, ApiKeyInput } from "@/api/types";

export const ownApiKeysQuery = queryOptions({
  queryKey: ["api-keys", "own"],
  queryFn: ({ signal }) => listMyApiKeys({ signal }),
  ...polling,
});

export const allApiKeysQuery = queryOptions({
  queryKey: ["api-keys", "all"],
  queryFn: ({ signal }) => listApiKeys({ signal }).then((answer) => answer.api_keys),
  ...polling,
});

function useRefresh(): () => Promise<unknown> {
  const queryClient = useQueryClient();
  return () => Promise.all(["api-keys", "teams"].map((noun) => queryClient.invalidateQueries({ queryKey: [noun] })));
}

export function useCreateApiKey() {
  const refresh = useRefresh();
  return useMutation({
    mutationFn: ({ teamId, input }: { teamId: string | null; input: ApiKeyInput }) =>
      teamId === null ? createMyApiKey(input) : createServiceKey(teamId, input),
    onSuccess: refresh,
  });
}

/** `ofAnybody`: the key was listed among everybody's, which is an administrator's call. */
export function useUpdateApiKey(id: string, ofAnybody: boolean) {
  const refresh = useRefresh();
  return useMutation({
    mutationFn: async (change: ApiKeyChange): Promise<void> => {
      await (ofAnybody ? updateApiKey(id, change) : updateMyApiKey(id, change));
    },
    onSuccess: refresh,
  });
}

/** `teamId`: of a service key, which its team owns. */
export function useRotateApiKey(id: string, teamId: string | null) {
  const refresh = useRefresh();
  return useMutation({
    mutationFn: (graceSeconds: number) => {
      const body = { grace_seconds: graceSeconds };
      return teamId === null ? rotateMyApiKey(id, body) : rotateServiceKey(teamId, id, body);
    },
    onSuccess: refresh,
  });
}

/** `ofAnybody` as above. */
export function useRevokeApiKey(id: string, ofAnybody: boolean) {
  const refresh = useRefresh();
  return useMutation({
    mutationFn: () => (ofAnybody ? revokeApiKey(id) : revokeMyApiKey(id)),
    onSuccess: refresh,
  });
}
