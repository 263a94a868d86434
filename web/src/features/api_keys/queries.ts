/** One's own API keys, and everybody's for administrators. */
import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";

import { createMyApiKey, listApiKeys, listMyApiKeys, revokeApiKey, revokeMyApiKey, rotateMyApiKey } from "@/api/generated/control";
import { polling } from "@/api/queryClient";
import type { ApiKeyInput } from "@/api/types";

export const ownApiKeysQuery = queryOptions({
  queryKey: ["api-keys", "own"],
  queryFn: ({ signal }) => listMyApiKeys({ signal }).then((answer) => answer.api_keys),
  ...polling,
});

export const allApiKeysQuery = queryOptions({
  queryKey: ["api-keys", "all"],
  queryFn: ({ signal }) => listApiKeys({ signal }).then((answer) => answer.api_keys),
  ...polling,
});

function useRefresh(): () => Promise<void> {
  const queryClient = useQueryClient();
  return () => queryClient.invalidateQueries({ queryKey: ["api-keys"] });
}

export function useCreateApiKey() {
  const refresh = useRefresh();
  return useMutation({
    mutationFn: (input: ApiKeyInput) => createMyApiKey(input),
    onSuccess: refresh,
  });
}

export function useRotateApiKey(id: string) {
  const refresh = useRefresh();
  return useMutation({
    mutationFn: (graceSeconds: number) => rotateMyApiKey(id, { grace_seconds: graceSeconds }),
    onSuccess: refresh,
  });
}

/** `ofAnybody`: the key was listed among everybody's, which is an administrator's call. */
export function useRevokeApiKey(id: string, ofAnybody: boolean) {
  const refresh = useRefresh();
  return useMutation({
    mutationFn: () => (ofAnybody ? revokeApiKey(id) : revokeMyApiKey(id)),
    onSuccess: refresh,
  });
}
