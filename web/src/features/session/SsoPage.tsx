/** Where the provider of single sign-on sends the browser back to. */
import { Anchor, Loader, Stack, Text } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link, useRouter, useSearch } from "@tanstack/react-router";
import { useEffect, useRef } from "react";

import { ApiError, asApiError } from "@/api/request";
import { ProblemAlert } from "@/ui/ProblemAlert";

import { EntryPage } from "./EntryPage";
import { finishSso, sessionQuery } from "./queries";

export function SsoPage() {
  const router = useRouter();
  const queryClient = useQueryClient();
  const { code, state } = useSearch({ from: "/sso" });
  const started = useRef(false);
  const { mutate, isError, error } = useMutation({
    mutationKey: ["session", "sso"],
    mutationFn: (back: { code: string; state: string }) => finishSso(back.code, back.state),
    onSuccess: (user) => {
      queryClient.clear(); // Nothing that another user saw may stay on screen.
      queryClient.setQueryData(sessionQuery.queryKey, user);
      router.history.replace("/"); // The used code is no way back.
    },
  });
  useEffect(() => {
    if (started.current || !code || !state) return;
    started.current = true;
    mutate({ code, state });
  }, [mutate, code, state]);
  const refused = !code || !state;
  return (
    <EntryPage title="Single sign-on" subtitle="Back from your provider">
      {refused || isError ? (
        <Stack>
          <ProblemAlert
            error={
              refused
                ? new ApiError(0, "sso_refused", "The provider did not sign you in.", "Try again, or ask who looks after it.")
                : asApiError(error)
            }
          />
          <Text size="sm">
            <Anchor component={Link} to="/login" underline="always" size="sm">
              Back to sign-in
            </Anchor>
          </Text>
        </Stack>
      ) : (
        <Loader size="sm" aria-label="Loading" />
      )}
    </EntryPage>
  );
}
