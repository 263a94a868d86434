/** The playground's own API key, and which models a key may ask for. */
import { queryOptions } from "@tanstack/react-query";

import { createMyApiKey, getMyRequest, listMyApiKeys, listMyModels, rotateMyApiKey } from "@/api/generated/control";
import { ApiError, request } from "@/api/request";

const NAME = "Playground";
const LIFE_MS = 24 * 60 * 60 * 1000;
/** A second tab may finish what it began with the secret from before. */
const GRACE_SECONDS = 300;

/**
 * A secret of the user's own key "Playground", made at the first question and good for a day. It is kept in this page's
 * memory only, so the first question after a reload gives the same key a new secret.
 */
export const playgroundKeyQuery = queryOptions({
  queryKey: ["playground", "key"],
  queryFn: async ({ signal }): Promise<string> => {
    const now = Date.now();
    const { api_keys } = await listMyApiKeys({ signal });
    const old = api_keys.find(
      (key) => key.name === NAME && !key.revoked_at && key.expires_at !== null && Date.parse(key.expires_at) > now,
    );
    const fresh = old
      ? await rotateMyApiKey(old.id, { grace_seconds: GRACE_SECONDS })
      : await createMyApiKey({ name: NAME, expires_at: new Date(now + LIFE_MS).toISOString() });
    return fresh.secret;
  },
  staleTime: LIFE_MS / 2,
  gcTime: LIFE_MS / 2,
  retry: false,
});

/** The names that the user's own keys may ask for. */
export const ownModelNamesQuery = queryOptions({
  queryKey: ["playground", "own-models"],
  queryFn: ({ signal }) => listMyModels({ signal }).then((answer) => answer.names),
  staleTime: 60_000,
});

/** The names that `secret` may ask for, as its own `GET /v1/models` lists them; null when no key has this secret. */
export const modelNamesQuery = (secret: string) =>
  queryOptions({
    queryKey: ["playground", "models", secret],
    queryFn: ({ signal }) =>
      request<{ data: { id: string }[] }>("/v1/models", {
        signal,
        credentials: "omit",
        headers: { authorization: `Bearer ${secret}` },
      }).then(
        (answer) => answer.data.map((model) => model.id),
        (error: unknown) => {
          // Of the key, not of the session: it must not end in the sign-in page.
          if (error instanceof ApiError && error.status === 401) return null;
          throw error;
        },
      ),
    staleTime: 60_000,
    gcTime: 0,
    retry: false,
  });

/** What a request cost, as the ledger has it; it is there as soon as the answer has ended. */
export const ownRequestQuery = (id: string) =>
  queryOptions({
    queryKey: ["requests", "own", id],
    queryFn: ({ signal }) => getMyRequest(encodeURIComponent(id), { signal }),
    staleTime: Infinity,
  });
