/** Budgets: what may be spent, by whom, and how much of it is gone. */
import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";

import { createBudget, deleteBudget, listBudgets, listMyBudgets, updateBudget } from "@/api/generated/control";
import { polling } from "@/api/queryClient";
import type { Budget, BudgetChange, BudgetInput } from "@/api/types";

export const budgetsQuery = queryOptions({
  queryKey: ["budgets"],
  queryFn: ({ signal }) => listBudgets({ signal }),
  ...polling,
});

export const ownBudgetsQuery = queryOptions({
  queryKey: ["budgets", "own"],
  queryFn: ({ signal }) => listMyBudgets({ signal }),
  ...polling,
});

/** A key's and a user's own budget is the same thing shown elsewhere, so all three are asked anew. */
function useRefresh(): () => Promise<unknown> {
  const queryClient = useQueryClient();
  return () =>
    Promise.all(["budgets", "api-keys", "users"].map((noun) => queryClient.invalidateQueries({ queryKey: [noun] })));
}

export function useSaveBudget(budget: Budget | null) {
  const refresh = useRefresh();
  return useMutation({
    mutationFn: (input: BudgetInput) => {
      if (budget === null) return createBudget(input);
      const { amount_usd, period, hard, warn_at } = input;
      return updateBudget(budget.id, { amount_usd, period, hard, warn_at } satisfies BudgetChange);
    },
    onSuccess: refresh,
  });
}

export function useDeleteBudget(id: string) {
  const refresh = useRefresh();
  return useMutation({ mutationFn: () => deleteBudget(id), onSuccess: refresh });
}
