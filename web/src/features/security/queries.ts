/** Where one is signed in, the same for an admin over a user, and one's own password. */
import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";

import {
  endOtherSessions,
  endOwnSession,
  endUserSession,
  endUserSessions,
  listOwnSessions,
  listUserSessions,
  updateMe,
} from "@/api/generated/control";

/** Whose sessions: one's own (null) or, for an admin, those of the user with this id. */
type Whose = string | null;

export const sessionsQuery = (whose: Whose) =>
  queryOptions({
    queryKey: ["sessions", whose],
    queryFn: ({ signal }) =>
      (whose === null ? listOwnSessions({ signal }) : listUserSessions(whose, { signal })).then(
        (answer) => answer.sessions,
      ),
  });

/** Ends the session with the id, or (null) all but the one that asks. */
export function useEndSessions(whose: Whose) {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: (id: string | null) => {
      if (whose === null) return id === null ? endOtherSessions() : endOwnSession(id);
      return id === null ? endUserSessions(whose) : endUserSession(whose, id);
    },
    onSettled: () => queryClient.invalidateQueries({ queryKey: sessionsQuery(whose).queryKey }),
  });
}

export function useChangePassword() {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: (body: { current_password: string; password: string }) => updateMe(body),
    onSuccess: () => queryClient.invalidateQueries({ queryKey: sessionsQuery(null).queryKey }),
  });
}
