/** The models that providers serve, one page at a time. */
import { keepPreviousData, queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";

import { listModels, updateModel } from "@/api/generated/control";
import type { ModelChange } from "@/api/types";

export const MODELS_PER_PAGE = 50;

export interface ModelFilter {
  search?: string;
  provider_id?: string;
  enabled?: "true" | "false";
  page: number;
}

export const modelsQuery = ({ page, enabled, ...filter }: ModelFilter) =>
  queryOptions({
    queryKey: ["models", filter, enabled, page],
    queryFn: ({ signal }) =>
      listModels(
        {
          ...filter,
          enabled: enabled && enabled === "true",
          limit: MODELS_PER_PAGE,
          offset: (page - 1) * MODELS_PER_PAGE,
        },
        { signal },
      ),
    placeholderData: keepPreviousData,
  });

/** Names to offer in a field; a field takes any other name too. */
export const modelNamesQuery = queryOptions({
  queryKey: ["models", "names"],
  queryFn: ({ signal }) =>
    listModels({ enabled: true, limit: 200 }, { signal }).then((answer) =>
      [...new Set(answer.models.map((model) => model.name))].toSorted(),
    ),
});

/** Changes a model and refreshes whatever depends on it. */
export function useChangeModel() {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: ({ id, change }: { id: string; change: ModelChange }) => updateModel(id, change),
    onSettled: () =>
      Promise.all(
        [["models"], ["providers"], ["routing"], ["usage"]].map((queryKey) => queryClient.invalidateQueries({ queryKey })),
      ),
  });
}
