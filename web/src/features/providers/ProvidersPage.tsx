/** LLM Provider Management: the figures, the providers, how traffic is routed, what it cost. */
import { loadChunk } from "@/app/loadChunk";
import { Button, SimpleGrid, Skeleton, Stack } from "@mantine/core";
import { IconPlus } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { lazy, Suspense, useState } from "react";

import type { Provider } from "@/api/types";
import { RoutingPanel } from "@/features/routing/RoutingPanel";
import { useMay } from "@/features/session/queries";
import { StatCards } from "@/features/usage/StatCards";
import { UsagePanel } from "@/features/usage/UsagePanel";
import { PageHeader } from "@/ui/PageHeader";
import { useIdle } from "@/ui/useIdle";

import { FirstSteps } from "./FirstSteps";
import { ProviderGrid } from "./ProviderGrid";
import { providersQuery } from "./queries";

const ProviderDialogs = lazy(() =>
  loadChunk(() => import("./ProviderDialogs")).then((module) => ({ default: module.ProviderDialogs })),
);

const ByokPanel = lazy(() =>
  loadChunk(() => import("@/features/byok/ByokPanel")).then((module) => ({ default: module.ByokPanel })),
);
const FallbackOrderPanel = lazy(() =>
  loadChunk(() => import("./FallbackOrderPanel")).then((module) => ({ default: module.FallbackOrderPanel })),
);
const PowerLevelsPanel = lazy(() =>
  loadChunk(() => import("@/features/power_levels/PowerLevelsPanel")).then((module) => ({
    default: module.PowerLevelsPanel,
  })),
);

export function ProvidersPage() {
  const search = useSearch({ from: "/signed-in/admin/litellm-providers" });
  const navigate = useNavigate({ from: "/admin/litellm-providers" });
  const writable = useMay("write gateway");
  const administers = useMay("manage users");
  const providers = useQuery(providersQuery);
  const show = (dialog: { add?: string; configure?: string }): void =>
    void navigate({
      search: (before) => ({ ...before, add: undefined, configure: undefined, ...dialog }),
      replace: true,
      resetScroll: false,
    });
  const [asked, setAsked] = useState<{ remove?: string; byHand?: string }>({});
  const find = (id: string | undefined): Provider | null =>
    (writable && id && providers.data?.find((provider) => provider.id === id)) || null;
  const idle = useIdle();
  const dialogWanted = Boolean(search.add ?? search.configure ?? asked.remove ?? asked.byHand);
  return (
    <>
      <PageHeader
        title="LLM Provider Management"
        description="The providers behind the gateway: add them, test them, choose who serves what, and see what it costs."
        action={
          writable && (
            <Button leftSection={<IconPlus size={16} />} onClick={() => show({ add: "1" })}>
              Add Provider
            </Button>
          )
        }
      />
      <Stack gap="lg">
        <StatCards />
        {providers.data && writable && <FirstSteps providers={providers.data} onAdd={() => show({ add: "1" })} />}
        <ProviderGrid
          writable={writable}
          onAdd={() => show({ add: "1" })}
          onConfigure={(id) => show({ configure: id })}
          onDelete={(remove) => setAsked({ remove })}
          onModelsByHand={(byHand) => setAsked({ byHand })}
        />
        <SimpleGrid cols={{ base: 1, lg: administers ? 2 : 1 }} spacing="lg">
          <RoutingPanel />
          {administers && idle && (
            <Suspense fallback={<Skeleton />}>
              <ByokPanel />
            </Suspense>
          )}
        </SimpleGrid>
        {idle && (
          <Suspense fallback={<Skeleton height={200} />}>
            <FallbackOrderPanel />
          </Suspense>
        )}
        {idle && (
          <Suspense fallback={<Skeleton height={320} />}>
            <PowerLevelsPanel />
          </Suspense>
        )}
        <UsagePanel of="gateway" />
      </Stack>
      {writable && (idle || dialogWanted) && (
        <Suspense>
          <ProviderDialogs
            adding={search.add !== undefined}
            configuring={find(search.configure)}
            deleting={find(asked.remove)}
            byHand={find(asked.byHand)}
            onClose={() => {
              setAsked({});
              if (search.add ?? search.configure) show({});
            }}
          />
        </Suspense>
      )}
    </>
  );
}
