/** Views that were saved: of one page, one's own and those that others share. */
import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";

import { createSavedView, deleteSavedView, listSavedViews, updateSavedView } from "@/api/generated/control";
import type { SavedView, SavedViewChange, SavedViewInput, ViewPage } from "@/api/types";

/** What an address says and a view can keep. */
export type ViewSearch = Record<string, string | undefined>;

export const savedViewsQuery = (page: ViewPage) =>
  queryOptions({
    queryKey: ["saved-views", page],
    queryFn: ({ signal }) => listSavedViews({ page }, { signal }).then((answer) => answer.views),
    staleTime: 60_000,
  });

/** The view's query as the address has it. */
export const searchOf = (view: SavedView): ViewSearch =>
  Object.fromEntries(Object.entries(view.query).filter(([, value]) => value !== null)) as ViewSearch;

const said = (search: ViewSearch): string =>
  JSON.stringify(
    Object.entries(search)
      .filter(([, value]) => value !== undefined)
      .toSorted(([one], [other]) => (one < other ? -1 : 1)),
  );

export const isSame = (one: ViewSearch, other: ViewSearch): boolean => said(one) === said(other);

export const isEmpty = (search: ViewSearch): boolean => isSame(search, {});

function useViewMutation<Input, Output>(page: ViewPage, mutationFn: (input: Input) => Promise<Output>) {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn,
    onSuccess: () => queryClient.invalidateQueries({ queryKey: savedViewsQuery(page).queryKey }),
  });
}

export const useSaveView = (page: ViewPage) =>
  useViewMutation(page, (view: Omit<SavedViewInput, "page">) => createSavedView({ ...view, page }));

export const useChangeView = (page: ViewPage) =>
  useViewMutation(page, ({ id, ...change }: SavedViewChange & { id: string }) => updateSavedView(id, change));

export const useDeleteView = (page: ViewPage) => useViewMutation(page, (id: string) => deleteSavedView(id));
