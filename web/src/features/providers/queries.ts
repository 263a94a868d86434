/** Providers and what can be done with them; every change refreshes what depends on it. */
import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";

import { createModel, createProvider, deleteProvider, getProviderImpact, listProviders, listProviderTypes, refreshModels, runConnectionTest, runProviderTest, setPriorities, updateProvider } from "@/api/generated/control";
import { polling } from "@/api/queryClient";
import type { ModelByHand, ProviderChange, ProviderInput, TestInput } from "@/api/types";

export const providerTypesQuery = queryOptions({
  queryKey: ["provider-types"],
  queryFn: ({ signal }) => listProviderTypes({ signal }).then((answer) => answer.provider_types),
  staleTime: 10 * 60_000,
});

const WHILE_DISCOVERING_MS = 2000;

export const providersQuery = queryOptions({
  queryKey: ["providers"],
  queryFn: ({ signal }) => listProviders({ signal }).then((answer) => answer.providers),
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
    queryFn: ({ signal }) => getProviderImpact(id, { signal }),
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
    mutationFn: (input: ProviderInput) => createProvider(input),
    onSuccess: refresh,
  });
}

export function useChangeProvider(id: string) {
  const refresh = useRefresh();
  return useMutation({
    mutationFn: (change: ProviderChange) => updateProvider(id, change),
    onSuccess: refresh,
  });
}

export function useDeleteProvider(id: string) {
  const queryClient = useQueryClient();
  const refresh = useRefresh();
  return useMutation({
    mutationFn: () => deleteProvider(id),
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
  return useMutation({ mutationFn: (input: TestInput) => runConnectionTest(input) });
}

/** Tests a saved provider; the server keeps the result as its last test. */
export function useTestProvider(id: string) {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: () => runProviderTest(id),
    onSettled: () => queryClient.invalidateQueries({ queryKey: providersQuery.queryKey, exact: true }),
  });
}

export function useRefreshModels(id: string) {
  const refresh = useRefresh();
  return useMutation({
    mutationFn: () => refreshModels(id),
    onSuccess: refresh,
  });
}

export function useAddModel() {
  const refresh = useRefresh();
  return useMutation({
    mutationFn: (input: ModelByHand) => createModel(input),
    onSuccess: refresh,
  });
}

/** The order shows at once, and goes back to what is in force when it could not be saved. */
export function useSetPriorities() {
  const queryClient = useQueryClient();
  const refresh = useRefresh();
  return useMutation({
    mutationFn: (priorities: Record<string, number>) => setPriorities({ priorities }),
    onMutate: async (priorities) => {
      await queryClient.cancelQueries({ queryKey: providersQuery.queryKey });
      const before = queryClient.getQueryData(providersQuery.queryKey);
      queryClient.setQueryData(providersQuery.queryKey, (list) =>
        list?.map((one) => ({ ...one, priority: priorities[one.id] ?? one.priority })),
      );
      return { before };
    },
    onError: (_error, _priorities, context) => queryClient.setQueryData(providersQuery.queryKey, context?.before),
    onSettled: refresh,
  });
}
