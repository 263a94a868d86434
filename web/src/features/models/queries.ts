/** The models that providers serve, one page at a time. */
import { keepPreviousData, queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";

import { api } from "@/api/api";
import type { Model, ModelChange } from "@/api/types";

export const MODELS_PER_PAGE = 50;

export interface ModelFilter {
  search?: string;
  provider_id?: string;
  enabled?: "true" | "false";
  page: number;
}

interface ModelPage {
  models: Model[];
  total: number;
}

export const modelsQuery = ({ page, ...filter }: ModelFilter) =>
  queryOptions({
    queryKey: ["models", filter, page],
    queryFn: ({ signal }) =>
      api.get<ModelPage>(
        "/llm/models",
        { ...filter, limit: MODELS_PER_PAGE, offset: (page - 1) * MODELS_PER_PAGE },
        signal,
      ),
    placeholderData: keepPreviousData,
  });

/** Names to offer in a field; a field takes any other name too. */
export const modelNamesQuery = queryOptions({
  queryKey: ["models", "names"],
  queryFn: ({ signal }) =>
    api
      .get<ModelPage>("/llm/models", { enabled: true, limit: 200 }, signal)
      .then((answer) => [...new Set(answer.models.map((model) => model.name))].toSorted()),
});

/** Changes a model; a switch moves at once and moves back when the server refuses. */
export function useChangeModel() {
  const queryClient = useQueryClient();
  const key = ["models"];
  return useMutation({
    mutationFn: ({ id, change }: { id: string; change: ModelChange }) => api.patch<Model>(`/llm/models/${id}`, change),
    onMutate: async ({ id, change }) => {
      if (change.enabled === undefined) return { before: [] };
      await queryClient.cancelQueries({ queryKey: key });
      const before = queryClient.getQueriesData<ModelPage>({ queryKey: key });
      for (const [queryKey, page] of before) {
        if (!page || !("models" in page)) continue;
        queryClient.setQueryData(queryKey, {
          ...page,
          models: page.models.map((model) => (model.id === id ? { ...model, enabled: change.enabled! } : model)),
        });
      }
      return { before };
    },
    onError: (_error, _change, context) => {
      for (const [queryKey, page] of context?.before ?? []) queryClient.setQueryData(queryKey, page);
    },
    onSettled: () =>
      Promise.all(
        [key, ["providers"], ["routing"], ["usage"]].map((queryKey) => queryClient.invalidateQueries({ queryKey })),
      ),
  });
}
