/** Who is signed in, and the ways in and out. */
import { queryOptions, useQuery, useSuspenseQuery } from "@tanstack/react-query";

import { api } from "@/api/api";
import type { System, User } from "@/api/types";
import { may, type Access } from "@/app/access";

export const sessionQuery = queryOptions({
  queryKey: ["session"],
  queryFn: ({ signal }) => api.get<{ user: User }>("/auth/me", undefined, signal).then((answer) => answer.user),
  staleTime: 60_000,
});

export const setupQuery = queryOptions({
  queryKey: ["setup"],
  queryFn: ({ signal }) => api.get<{ needed: boolean }>("/setup", undefined, signal),
});

export const systemQuery = queryOptions({
  queryKey: ["system"],
  queryFn: ({ signal }) => api.get<System>("/system", undefined, signal),
  staleTime: 10 * 60_000,
});

/** The signed-in user; only below the signed-in route, which loads it first. */
export function useUser(): User {
  return useSuspenseQuery(sessionQuery).data;
}

export function useMay(access: Access): boolean {
  return may(useUser().role, access);
}

export function useSystem(): System | undefined {
  return useQuery(systemQuery).data;
}

export const signIn = (email: string, password: string): Promise<User> =>
  api.post<{ user: User }>("/auth/login", { email, password }).then((answer) => answer.user);

export const signOut = (): Promise<void> => api.post<void>("/auth/logout");

/** The set-up answers with the user itself or wrapped; both mean "signed in". */
export const setUp = (token: string, email: string, password: string): Promise<unknown> =>
  api.post<unknown>("/setup", { token, email, password });
