/** How long data stays fresh, when it is asked for again, and what a lost session does. */
import { MutationCache, QueryCache, QueryClient } from "@tanstack/react-query";

import { ApiError } from "./request";

/** Statistics are asked for again this often while the tab is visible. */
export const POLL_MS = 30_000;

/** For figures that move by themselves; errors do not stop it, so it recovers when the server is back. */
export const polling = { refetchInterval: POLL_MS, refetchIntervalInBackground: false } as const;

/** What is to be done when a call says that the session is not what it was. */
interface SessionWatch {
  /** Any call but the session's own was answered 401. */
  onSignedOut: () => void;
  /** Nothing may be done before a second factor is set up, as of lately. */
  onSecondFactorMissing: () => void;
}

export function createQueryClient({ onSignedOut, onSecondFactorMissing }: SessionWatch): QueryClient {
  const watch = (error: Error, key: readonly unknown[] | undefined): void => {
    if (!(error instanceof ApiError) || key?.[0] === "session") return;
    if (error.status === 401) onSignedOut();
    if (error.type === "second_factor_missing") onSecondFactorMissing();
  };
  return new QueryClient({
    queryCache: new QueryCache({ onError: (error, query) => watch(error, query.queryKey) }),
    mutationCache: new MutationCache({
      onError: (error, _variables, _result, mutation) => watch(error, mutation.options.mutationKey),
    }),
    defaultOptions: {
      queries: {
        staleTime: 10_000,
        networkMode: "always", // The server may be on this very machine: being offline says nothing.
        retry: (failures, error) => failures < 2 && (!(error instanceof ApiError) || error.isTransient),
        retryDelay: (attempt) => Math.min(1000 * 2 ** attempt, 8000),
      },
      mutations: { networkMode: "always", retry: false },
    },
  });
}
