/** Who is signed in, and the ways in and out. */
import { queryOptions, useQuery, useSuspenseQuery } from "@tanstack/react-query";

import { acceptInvitation, getSetup, getSignedIn, getSystem, logIn, logOut, lookUpInvitation, setUp as createFirstAdmin } from "@/api/generated/control";
import type { SystemAnswer } from "@/api/generated/control.schemas";
import type { User } from "@/api/types";
import { may, type Access } from "@/app/access";

export const sessionQuery = queryOptions({
  queryKey: ["session"],
  queryFn: ({ signal }) => getSignedIn({ signal }).then((answer) => answer.user),
  staleTime: 60_000,
});

export const setupQuery = queryOptions({
  queryKey: ["setup"],
  queryFn: ({ signal }) => getSetup({ signal }),
});

export const systemQuery = queryOptions({
  queryKey: ["system"],
  queryFn: ({ signal }) => getSystem({ signal }),
  staleTime: 10 * 60_000,
});

/** The signed-in user; only below the signed-in route, which loads it first. */
export function useUser(): User {
  return useSuspenseQuery(sessionQuery).data;
}

export function useMay(access: Access): boolean {
  return may(useUser().role, access);
}

export function useSystem(): SystemAnswer | undefined {
  return useQuery(systemQuery).data;
}

export const signIn = (email: string, password: string): Promise<User> =>
  logIn({ email, password }).then((answer) => answer.user);

export const setUp = (token: string, email: string, password: string): Promise<User> =>
  createFirstAdmin({ token, email, password }).then((answer) => answer.user);

/** What a link offers; asked once, as its answer does not change while the page is open. */
export const offerQuery = (token: string) =>
  queryOptions({
    queryKey: ["invitation", token],
    queryFn: ({ signal }) => lookUpInvitation({ token }, { signal }),
    retry: false,
    staleTime: Infinity,
  });

export const acceptOffer = (token: string, name: string, password: string): Promise<User> =>
  acceptInvitation({ token, password, ...(name && { name }) }).then((answer) => answer.user);

export { logOut as signOut };
