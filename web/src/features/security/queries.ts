/** Where one is signed in, the same for an admin over a user, and one's own password. */
import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";

import {
  beginSecondFactor,
  confirmSecondFactor,
  endOtherSessions,
  endOwnSession,
  endUserSession,
  endUserSessions,
  getSecondFactor,
  listOwnSessions,
  listUserSessions,
  removeSecondFactor,
  renewRecoveryCodes,
  resetSecondFactor,
  updateMe,
} from "@/api/generated/control";
import { sessionQuery } from "@/features/session/queries";
import { usersQuery } from "@/features/users/queries";

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

export const secondFactorQuery = queryOptions({
  queryKey: ["second-factor"],
  queryFn: ({ signal }) => getSecondFactor({ signal }),
});

/** A new secret; made anew each time the set-up is opened. */
export function useBeginSecondFactor() {
  return useMutation({ mutationFn: () => beginSecondFactor() });
}

/** Each takes a code of the app: confirm and renew answer recovery codes, remove nothing. */
export function useProveSecondFactor(what: "confirm" | "renew" | "remove") {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: async (code: string): Promise<string[]> => {
      if (what === "remove") {
        await removeSecondFactor({ code });
        return [];
      }
      const { recovery_codes } = await (what === "confirm" ? confirmSecondFactor : renewRecoveryCodes)({ code });
      return recovery_codes;
    },
    onSuccess: () =>
      Promise.all([
        queryClient.invalidateQueries({ queryKey: secondFactorQuery.queryKey }),
        queryClient.invalidateQueries({ queryKey: sessionsQuery(null).queryKey }),
      ]),
  });
}

export function useResetSecondFactor(userId: string) {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: () => resetSecondFactor(userId),
    onSuccess: () =>
      Promise.all([
        queryClient.invalidateQueries({ queryKey: usersQuery.queryKey }),
        queryClient.invalidateQueries({ queryKey: sessionsQuery(userId).queryKey }),
        queryClient.invalidateQueries({ queryKey: sessionQuery.queryKey }),
      ]),
  });
}
