/** Who is signed in, and the ways in and out. */
import { queryOptions, useQuery, useSuspenseQuery } from "@tanstack/react-query";

import {
  acceptInvitation,
  beginSingleSignOn,
  finishSingleSignOn,
  getSetup,
  getSingleSignOn, getSignedIn, getSystem, logIn, logOut, lookUpInvitation, setUp as createFirstAdmin } from "@/api/generated/control";
import type { SignedIn, SystemAnswer } from "@/api/generated/control.schemas";
import type { User } from "@/api/types";
import { may, type Access } from "@/app/access";

/** The user, and whether nothing may be done before a second factor is set up. */
export type SessionUser = User & { secondFactorMissing: boolean };

const signedIn = (answer: SignedIn): SessionUser => ({
  ...answer.user,
  secondFactorMissing: answer.second_factor_missing ?? false,
});

export const sessionQuery = queryOptions({
  queryKey: ["session"],
  queryFn: ({ signal }) => getSignedIn({ signal }).then(signedIn),
  staleTime: 60_000,
});

export const setupQuery = queryOptions({
  queryKey: ["setup"],
  queryFn: ({ signal }) => getSetup({ signal }),
});

export const singleSignOnQuery = queryOptions({
  queryKey: ["single-sign-on"],
  queryFn: ({ signal }) => getSingleSignOn({ signal }),
});

/** Where the provider's sign-in page is. */
export const beginSso = (): Promise<string> => beginSingleSignOn().then((answer) => answer.authorization_url);

export const finishSso = (code: string, state: string): Promise<SessionUser> =>
  finishSingleSignOn({ code, state }).then(signedIn);

export const systemQuery = queryOptions({
  queryKey: ["system"],
  queryFn: ({ signal }) => getSystem({ signal }),
  staleTime: 10 * 60_000,
});

/** The signed-in user; only below the signed-in route, which loads it first. */
export function useUser(): SessionUser {
  return useSuspenseQuery(sessionQuery).data;
}

export function useMay(access: Access): boolean {
  return may(useUser().role, access);
}

export function useSystem(): SystemAnswer | undefined {
  return useQuery(systemQuery).data;
}

/** `code`: of the second factor, once it was asked for. */
export const signIn = (email: string, password: string, code: string): Promise<SessionUser> =>
  logIn({ email, password, ...(code && { code }) }).then(signedIn);

export const setUp = (token: string, email: string, password: string): Promise<SessionUser> =>
  createFirstAdmin({ token, email, password }).then(signedIn);

/** What a link offers; asked once, as its answer does not change while the page is open. */
export const offerQuery = (token: string) =>
  queryOptions({
    queryKey: ["invitation", token],
    queryFn: ({ signal }) => lookUpInvitation({ token }, { signal }),
    retry: false,
    staleTime: Infinity,
  });

export const acceptOffer = (token: string, name: string, password: string): Promise<SessionUser> =>
  acceptInvitation({ token, password, ...(name && { name }) }).then(signedIn);

export { logOut as signOut };
