/** Home: is anything broken, what does it cost, what changed and what moved it most. */
import { Skeleton, Stack } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";

import { asApiError } from "@/api/request";
import { DEFAULT_SPAN } from "@/app/search";
import { FirstSteps } from "@/features/providers/FirstSteps";
import { providersQuery } from "@/features/providers/queries";
import { useMay } from "@/features/session/queries";
import { PageHeader } from "@/ui/PageHeader";
import { ProblemAlert } from "@/ui/ProblemAlert";
import { StaleNotice } from "@/ui/StaleNotice";

import { ChangesPanel } from "./ChangesPanel";
import { CostPanel } from "./CostPanel";
import { homeQuery } from "./queries";
import { StatePanel } from "./StatePanel";

export function HomePage() {
  const { span = DEFAULT_SPAN } = useSearch({ from: "/signed-in/admin" });
  const navigate = useNavigate({ from: "/admin" });
  const home = useQuery(homeQuery(span));
  const writes = useMay("write gateway");
  const providers = useQuery({ ...providersQuery, enabled: writes });
  const { data } = home;
  return (
    <>
      <PageHeader title="Home" description="Is anything broken, what does it cost, and what changed." />
      <Stack gap="lg">
        <StaleNotice query={home} />
        {home.isError && !data && (
          <ProblemAlert
            error={asApiError(home.error)}
            title="The home page could not be loaded"
            onRetry={() => void home.refetch()}
          />
        )}
        {home.isPending && (
          <>
            <Skeleton height={150} />
            <Skeleton height={190} />
            <Skeleton height={420} />
          </>
        )}
        {data && (
          <>
            {writes && providers.data && (
              <FirstSteps
                providers={providers.data}
                onAdd={() => void navigate({ to: "/admin/litellm-providers", search: { add: "1" } })}
              />
            )}
            <StatePanel state={data.state} />
            {data.first_at !== null && (
              <>
                <CostPanel cost={data.cost} timeZone={data.time_zone} />
                <ChangesPanel
                  changed={data.changed}
                  isStale={home.isPlaceholderData}
                  onSpan={(to) => void navigate({ search: { span: to }, replace: true, resetScroll: false })}
                />
              </>
            )}
          </>
        )}
      </Stack>
    </>
  );
}
