/** What stands in place of a page that could not be shown, and of one that does not exist. */
import { Anchor, Box } from "@mantine/core";
import { Link, useRouter, type ErrorComponentProps } from "@tanstack/react-router";
import { useEffect } from "react";

import { asApiError } from "@/api/request";
import { EntryPage } from "@/features/session/EntryPage";
import { ProblemAlert } from "@/ui/ProblemAlert";

const RETRY_MS = 5000;

export function RouteProblem({ error, reset }: ErrorComponentProps) {
  const router = useRouter();
  const problem = asApiError(error);
  const again = (): void => {
    reset();
    void router.invalidate();
  };
  // A server that restarts is back within seconds: come back without being asked.
  useEffect(() => {
    if (!problem.isTransient || problem.type === "internal_error") return;
    const timer = setInterval(() => {
      reset();
      void router.invalidate();
    }, RETRY_MS);
    return () => clearInterval(timer);
  }, [problem.isTransient, problem.type, reset, router]);
  return (
    <Box component="section" maw={560} mx="auto" py={64} px="md">
      <title>Problem · Ops-Center</title>
      <ProblemAlert error={problem} title="This page could not be shown" onRetry={again} />
    </Box>
  );
}

export function NotFoundPage() {
  return (
    <EntryPage title="There is no such page" subtitle="The address may be mistyped, or the page has moved.">
      <Anchor component={Link} to="/" underline="always" size="sm">
        Go to the start page
      </Anchor>
    </EntryPage>
  );
}
