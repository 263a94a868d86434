/** One's own keys at providers: listed, proven, replaced, switched, removed. */
import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";

import {
  deleteOwnProviderKey,
  listOwnProviderKeys,
  putOwnProviderKey,
  runOwnProviderKeyTest,
  updateOwnProviderKeySettings,
} from "@/api/generated/control";
import { polling } from "@/api/queryClient";
import type { ProviderKeyInput } from "@/api/types";

export const providerKeysQuery = queryOptions({
  queryKey: ["provider-keys"],
  queryFn: ({ signal }) => listOwnProviderKeys({ signal }),
  ...polling,
});

function useRefresh(): () => Promise<void> {
  const queryClient = useQueryClient();
  return () => queryClient.invalidateQueries({ queryKey: providerKeysQuery.queryKey });
}

export function usePutProviderKey(type: string) {
  const refresh = useRefresh();
  return useMutation({ mutationFn: (input: ProviderKeyInput) => putOwnProviderKey(type, input), onSuccess: refresh });
}

export function useDeleteProviderKey(type: string) {
  const refresh = useRefresh();
  return useMutation({ mutationFn: () => deleteOwnProviderKey(type), onSuccess: refresh });
}

/** Tests a key that was typed, or (undefined) the saved one. */
export function useTestProviderKey(type: string) {
  const refresh = useRefresh();
  return useMutation({
    mutationFn: (key: string | undefined) => runOwnProviderKeyTest(type, key ? { api_key: key } : {}),
    onSettled: refresh,
  });
}

export function useFallback() {
  const refresh = useRefresh();
  return useMutation({
    mutationFn: (fallback: boolean) => updateOwnProviderKeySettings({ fallback }),
    onSettled: refresh,
  });
}
