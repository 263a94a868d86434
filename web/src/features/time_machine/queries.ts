/** Drafts of routing: listed, made, changed, replayed, published, thrown away. */
import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";

import {
  createRoutingDraft,
  getRoutingDraft,
  listModels,
  listRoutingDrafts,
  publishRoutingDraft,
  replayRoutingDraft,
  throwRoutingDraftAway,
  updateRoutingDraft,
} from "@/api/generated/control";
import type { RoutingDraft, RoutingDraftChanges } from "@/api/types";

const LOOK_MS = 1000;

export const draftsQuery = queryOptions({
  queryKey: ["routing-drafts", "list"],
  queryFn: ({ signal }) => listRoutingDrafts({ signal }).then((answer) => answer.drafts),
});

export const draftQuery = (id: string) =>
  queryOptions({
    queryKey: ["routing-drafts", "one", id],
    queryFn: ({ signal }) => getRoutingDraft(id, { signal }),
    refetchInterval: (query) => (query.state.data?.replay?.status === "running" ? LOOK_MS : false),
  });

/** Models to switch in a draft, as they are searched for. */
export const foundModelsQuery = (search: string) =>
  queryOptions({
    queryKey: ["routing-drafts", "models", search],
    queryFn: ({ signal }) => listModels({ search, limit: 20 }, { signal }).then((answer) => answer.models),
  });

export function useCreateDraft() {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: (name: string) => createRoutingDraft({ name }),
    onSuccess: () => queryClient.invalidateQueries({ queryKey: draftsQuery.queryKey }),
  });
}

function useDraftMutation<Input>(id: string, mutationFn: (input: Input) => Promise<RoutingDraft>) {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn,
    onSuccess: async (draft) => {
      queryClient.setQueryData(draftQuery(id).queryKey, draft);
      await queryClient.invalidateQueries({ queryKey: draftsQuery.queryKey });
    },
  });
}

export const useSaveDraft = (id: string) =>
  useDraftMutation(id, (draft: { name: string; changes: RoutingDraftChanges }) => updateRoutingDraft(id, draft));

export const useReplay = (id: string) => useDraftMutation(id, (days: number) => replayRoutingDraft(id, { days }));

export function useThrowAway(id: string) {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: () => throwRoutingDraftAway(id),
    onSuccess: () => queryClient.invalidateQueries({ queryKey: draftsQuery.queryKey }),
  });
}

export function usePublish(id: string) {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: (confirm: boolean) => publishRoutingDraft(id, { confirm }),
    onSuccess: async () => {
      queryClient.removeQueries({ queryKey: draftQuery(id).queryKey });
      await queryClient.invalidateQueries({ predicate: (query) => query.queryKey[1] !== "one" });
    },
  });
}
