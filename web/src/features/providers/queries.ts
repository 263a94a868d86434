/** Providers and what can be done with them; every change refreshes what depends on it. */
import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";

import { api } from "@/api/api";
import { polling } from "@/api/queryClient";
import type {
  Impact,
  Model,
  Provider,
  ProviderChange,
  ProviderInput,
  ProviderType,
  TestInput,
  TestResult,
} from "@/api/types";

export const providerTypesQuery = queryOptions({
  queryKey: ["provider-types"],
  queryFn: ({ signal }) =>
    api
      .get<{ provider_types: ProviderType[] }>("/llm/provider-types", undefined, signal)
      .then((answer) => answer.provider_types),
  staleTime: 10 * 60_000,
});

const WHILE_DISCOVERING_MS = 2000;

export const providersQuery = queryOptions({
  queryKey: ["providers"],
  queryFn: ({ signal }) =>
    api.get<{ providers: Provider[] }>("/llm/providers", undefined, signal).then((answer) => answer.providers),
  ...polling,
  // A new provider's models arrive within seconds: look more often until they are there.
  refetchInterval: (query) =>
    query.state.data?.some((provider) => provider.discovery.status === "pending")
      ? WHILE_DISCOVERING_MS
      : polling.refetchInterval,
});

export const impactQuery = (id: string) =>
  queryOptions({
    queryKey: ["impact", id],
    queryFn: ({ signal }) => api.get<Impact>(`/llm/providers/${id}/impact`, undefined, signal),
    staleTime: 0,
  });

/** Everything that a change of providers or models shows in. */
const DEPENDENT = [["providers"], ["models"], ["routing"], ["usage"]];

function useRefresh(): () => Promise<unknown> {
  const queryClient = useQueryClient();
  return () => Promise.all(DEPENDENT.map((queryKey) => queryClient.invalidateQueries({ queryKey })));
}

export function useAddProvider() {
  const refresh = useRefresh();
  return useMutation({
    mutationFn: (input: ProviderInput) => api.post<Provider>("/llm/providers", input),
    onSuccess: refresh,
  });
}

export function useChangeProvider(id: string) {
  const refresh = useRefresh();
  return useMutation({
    mutationFn: (change: ProviderChange) => api.patch<Provider>(`/llm/providers/${id}`, change),
    onSuccess: refresh,
  });
}

export function useDeleteProvider(id: string) {
  const queryClient = useQueryClient();
  const refresh = useRefresh();
  return useMutation({
    mutationFn: () => api.delete(`/llm/providers/${id}`),
    onSuccess: () => {
      // The card goes at once; the refresh only confirms it.
      queryClient.setQueryData(providersQuery.queryKey, (providers) =>
        providers?.filter((provider) => provider.id !== id),
      );
      void refresh();
    },
  });
}

/** Tests what is typed in a dialog, before anything is saved. */
export function useTestInput() {
  return useMutation({ mutationFn: (input: TestInput) => api.post<TestResult>("/llm/test", input) });
}

/** Tests a saved provider; the server keeps the result as its last test. */
export function useTestProvider(id: string) {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: () => api.post<TestResult>(`/llm/providers/${id}/test`),
    onSettled: () => queryClient.invalidateQueries({ queryKey: providersQuery.queryKey, exact: true }),
  });
}

export function useRefreshModels(id: string) {
  const refresh = useRefresh();
  return useMutation({
    mutationFn: () =>
      api.post<{ discovery: Provider["discovery"]; models_count: number }>(`/llm/providers/${id}/models/refresh`),
    onSuccess: refresh,
  });
}

export interface ModelByHand {
  provider_id: string;
  name: string;
  input_mtok?: number;
  output_mtok?: number;
}

export function useAddModel() {
  const refresh = useRefresh();
  return useMutation({
    mutationFn: (input: ModelByHand) => api.post<Model>("/llm/models", input),
    onSuccess: refresh,
  });
}
