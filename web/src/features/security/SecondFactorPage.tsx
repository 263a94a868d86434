/** Where a role that must have a second factor sets it up, before anything else. */
import { Button, Stack } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useRouter, useSearch } from "@tanstack/react-router";

import { EntryPage } from "@/features/session/EntryPage";
import { sessionQuery, signOut } from "@/features/session/queries";

import { SecondFactorSetup } from "./SecondFactorSetup";

export function SecondFactorPage() {
  const { redirect } = useSearch({ from: "/second-factor" });
  const router = useRouter();
  const queryClient = useQueryClient();
  const goOn = async (): Promise<void> => {
    await queryClient.fetchQuery({ ...sessionQuery, staleTime: 0 });
    router.history.push(redirect ?? "/");
  };
  const leave = async (): Promise<void> => {
    await signOut();
    queryClient.clear();
    await router.navigate({ to: "/login" });
  };
  return (
    <EntryPage title="Set up a second factor" subtitle="Your role must have one. It takes a minute.">
      <Stack>
        <SecondFactorSetup onDone={() => void goOn()} />
        <Button variant="subtle" onClick={() => void leave()}>
          Sign out instead
        </Button>
      </Stack>
    </EntryPage>
  );
}
