/** One's own API keys, and everybody's for administrators. */
import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";

import { api } from "@/api/api";
import { polling } from "@/api/queryClient";
import type { ApiKey, ApiKeyInput, NewApiKey, OwnedApiKey } from "@/api/types";

export const ownApiKeysQuery = queryOptions({
  queryKey: ["api-keys", "own"],
  queryFn: ({ signal }) =>
    api.get<{ api_keys: ApiKey[] }>("/me/api-keys", undefined, signal).then((answer) => answer.api_keys),
  ...polling,
});

export const allApiKeysQuery = queryOptions({
  queryKey: ["api-keys", "all"],
  queryFn: ({ signal }) =>
    api
      .get<{ api_keys: OwnedApiKey[] }>("/llm/api-keys", undefined, signal)
      .then((answer) => answer.api_keys),
  ...polling,
});

function useRefresh(): () => Promise<void> {
  const queryClient = useQueryClient();
  return () => queryClient.invalidateQueries({ queryKey: ["api-keys"] });
}

export function useCreateApiKey() {
  const refresh = useRefresh();
  return useMutation({
    mutationFn: (input: ApiKeyInput) => api.post<NewApiKey>("/me/api-keys", input),
    onSuccess: refresh,
  });
}

export function useRotateApiKey(id: string) {
  const refresh = useRefresh();
  return useMutation({
    mutationFn: () => api.post<NewApiKey>(`/me/api-keys/${id}/rotate`),
    onSuccess: refresh,
  });
}

/** `ofAnybody`: the key was listed among everybody's, which is an administrator's call. */
export function useRevokeApiKey(id: string, ofAnybody: boolean) {
  const refresh = useRefresh();
  return useMutation({
    mutationFn: () => api.delete(ofAnybody ? `/llm/api-keys/${id}` : `/me/api-keys/${id}`),
    onSuccess: refresh,
  });
}
