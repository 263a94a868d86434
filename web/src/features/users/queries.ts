/** The people who may sign in. */
import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";

import { createUser, listUsers, updateUser } from "@/api/generated/control";
import type { UserChange, UserInput } from "@/api/types";
import { sessionQuery } from "@/features/session/queries";

export const usersQuery = queryOptions({
  queryKey: ["users"],
  queryFn: ({ signal }) => listUsers({ signal }).then((answer) => answer.users),
});

export function useAddUser() {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: (input: UserInput) => createUser(input),
    onSuccess: () => queryClient.invalidateQueries({ queryKey: usersQuery.queryKey }),
  });
}

export function useChangeUser(id: string) {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: (change: UserChange) => updateUser(id, change),
    onSuccess: () =>
      Promise.all([
        queryClient.invalidateQueries({ queryKey: usersQuery.queryKey }),
        // One may have changed oneself.
        queryClient.invalidateQueries({ queryKey: sessionQuery.queryKey }),
      ]),
  });
}
