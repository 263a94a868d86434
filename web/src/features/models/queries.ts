/** The models that providers serve, one page at a time, and the aliases that stand for them. */
import { keepPreviousData, queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";

import { createModel, listAliases, listModels, listUnpricedModels, putAlias, switchModels, takeAliasBack, updateModel } from "@/api/generated/control";
import type { ListModelsParams } from "@/api/generated/control.schemas";
import type { ModelChange, ModelsSwitch, UnpricedModel } from "@/api/types";
import type { ModelsSearch } from "@/app/search";

export const MODELS_PER_PAGE = 50;

/** What a search in the address leaves over, in the API's words; the same for the list and for switching. */
export function filterOf({ search, provider_id, enabled, capability, max_price, min_context }: ModelsSearch) {
  return {
    ...(search && { search }),
    ...(provider_id && { provider_id }),
    ...(enabled && { enabled: enabled === "true" }),
    ...(capability && { capability }),
    ...(max_price && { max_input_mtok: Number(max_price) }),
    ...(min_context && { min_context: Number(min_context) }),
  };
}

export const modelsQuery = (search: ModelsSearch) => {
  const page = pageOf(search);
  const params: ListModelsParams = {
    ...filterOf(search),
    ...(search.sort && { sort: search.sort }),
    limit: MODELS_PER_PAGE,
    offset: (page - 1) * MODELS_PER_PAGE,
  };
  return queryOptions({
    queryKey: ["models", params],
    queryFn: ({ signal }) => listModels(params, { signal }),
    placeholderData: keepPreviousData,
  });
};

export const pageOf = ({ page }: ModelsSearch): number => Math.max(1, Math.trunc(Number(page)) || 1);

/** Names to offer in a field; a field takes any other name too. */
export const modelNamesQuery = queryOptions({
  queryKey: ["models", "names"],
  queryFn: ({ signal }) =>
    listModels({ enabled: true, limit: 200 }, { signal }).then((answer) =>
      [...new Set(answer.models.map((model) => model.name))].toSorted(),
    ),
});

export const aliasesQuery = queryOptions({
  queryKey: ["models", "aliases"],
  queryFn: ({ signal }) => listAliases({ signal }).then((answer) => answer.aliases),
});

const UNPRICED_EVERY_MS = 30_000;

/** Models with requests of unknown cost, and what was priced later. */
export const unpricedQuery = queryOptions({
  queryKey: ["models", "unpriced"],
  queryFn: ({ signal }) => listUnpricedModels({ signal }),
  refetchInterval: UNPRICED_EVERY_MS,
});

const SETTLED_WITHIN_MS = 3000;

/** A price for a model that had none; one that is in no list of models is put there by hand. */
export function useSetPrice({ model_id, provider_id, model }: UnpricedModel) {
  const refresh = useRefresh();
  return useMutation({
    mutationFn: async ({ input_mtok, output_mtok, ...more }: ModelChange) => {
      const id = model_id ?? (await createModel({ provider_id, name: model, input_mtok, output_mtok })).id;
      if (model_id !== null) return updateModel(id, { input_mtok, output_mtok, ...more });
      return Object.keys(more).length > 0 ? updateModel(id, more) : undefined;
    },
    onSuccess: () => {
      // the server prices what waited within seconds
      setTimeout(() => void refresh(), SETTLED_WITHIN_MS);
      return refresh();
    },
  });
}

/** Refreshes whatever depends on models and aliases. */
function useRefresh(): () => Promise<unknown> {
  const queryClient = useQueryClient();
  return () =>
    Promise.all(
      [["models"], ["providers"], ["routing"], ["usage"]].map((queryKey) => queryClient.invalidateQueries({ queryKey })),
    );
}

export function useChangeModel() {
  const refresh = useRefresh();
  return useMutation({
    mutationFn: ({ id, change }: { id: string; change: ModelChange }) => updateModel(id, change),
    onSettled: refresh,
  });
}

/** Many at once: by their ids, or all that fit a filter. */
export function useSwitchModels() {
  const refresh = useRefresh();
  return useMutation({
    mutationFn: (wanted: ModelsSwitch) => switchModels(wanted),
    onSettled: refresh,
  });
}

export function useSaveAlias() {
  const refresh = useRefresh();
  return useMutation({
    mutationFn: ({ name, candidates }: { name: string; candidates: string[] }) => putAlias(encodeURIComponent(name), { candidates }),
    onSuccess: refresh,
  });
}

export function useTakeAliasBack() {
  const refresh = useRefresh();
  return useMutation({ mutationFn: (name: string) => takeAliasBack(encodeURIComponent(name)), onSuccess: refresh });
}
