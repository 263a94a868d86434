/** The people who may sign in. */
import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";

import { createInvitation, createUser, listInvitations, listUsers, revokeInvitation, updateUser } from "@/api/generated/control";
import type { InvitationInput, UserChange, UserInput } from "@/api/types";
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

export const invitationsQuery = queryOptions({
  queryKey: ["invitations"],
  queryFn: ({ signal }) => listInvitations({ signal }).then((answer) => answer.invitations),
});

export function useInvite() {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: (input: InvitationInput) => createInvitation(input),
    onSuccess: () => queryClient.invalidateQueries({ queryKey: invitationsQuery.queryKey }),
  });
}

export function useRevokeInvitation() {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: (id: string) => revokeInvitation(id),
    onSettled: () => queryClient.invalidateQueries({ queryKey: invitationsQuery.queryKey }),
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
