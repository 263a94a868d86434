/** The providers: cards, ghosts while they load, and what to do when there is none. */
import { loadChunk } from "@/app/loadChunk";
import { Paper, SegmentedControl, SimpleGrid, Skeleton, Stack, VisuallyHidden } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense, useState } from "react";

import { asApiError } from "@/api/request";
import { plural } from "@/format/format";
import { EmptyState } from "@/ui/EmptyState";
import { ProblemAlert } from "@/ui/ProblemAlert";
import { StaleNotice } from "@/ui/StaleNotice";

import { ProviderCard } from "./ProviderCard";
import classes from "./ProviderGrid.module.css";
import { providersQuery } from "./queries";

interface ProviderGridProps {
  writable: boolean;
  onAdd: () => void;
  onConfigure: (id: string) => void;
  onDelete: (id: string) => void;
  onModelsByHand: (id: string) => void;
}

const ProviderTable = lazy(() => loadChunk(() => import("./ProviderTable")).then((module) => ({ default: module.ProviderTable })));

/** Above this many, rows are easier to read. */
const MOST_CARDS = 12;

const COLUMNS = { base: 1, sm: 2, xl: 3 };

export function ProviderGrid({ writable, onAdd, onConfigure, onDelete, onModelsByHand }: ProviderGridProps) {
  const providers = useQuery(providersQuery);
  const [view, setView] = useState("table");

  if (providers.isPending) {
    return (
      <SimpleGrid cols={COLUMNS} aria-busy="true" aria-label="Loading providers">
        {[1, 2, 3].map((ghost) => (
          <GhostCard key={ghost} animate />
        ))}
      </SimpleGrid>
    );
  }
  if (!providers.data) {
    return (
      <ProblemAlert
        error={asApiError(providers.error)}
        title="The providers could not be loaded"
        onRetry={() => void providers.refetch()}
      />
    );
  }
  return (
    <Stack gap="md">
      <StaleNotice query={providers} />
      {providers.data.length === 0 ? (
        <div className={classes.veiled}>
          <SimpleGrid cols={COLUMNS} aria-hidden className={classes.ghosts}>
            {[1, 2, 3].map((ghost) => (
              <GhostCard key={ghost} animate={false} />
            ))}
          </SimpleGrid>
          <div className={classes.overGhosts}>
            <EmptyState
              title="No provider yet"
              action={writable ? { label: "Add the first provider", onClick: onAdd } : undefined}
            >
              Add OpenRouter, OpenAI, Anthropic or any OpenAI-compatible server; the gateway starts to serve its models at
              once.
            </EmptyState>
          </div>
        </div>
      ) : (
        <>
          {providers.data.length > MOST_CARDS && (
            <SegmentedControl
              size="xs"
              aria-label="Show providers as"
              value={view}
              onChange={setView}
              data={[
                { value: "table", label: "Table" },
                { value: "cards", label: "Cards" },
              ]}
              style={{ alignSelf: "flex-end" }}
            />
          )}
          {providers.data.length > MOST_CARDS && view === "table" ? (
            <Suspense fallback={<Skeleton height={480} />}>
              <ProviderTable
                providers={providers.data}
                writable={writable}
                onConfigure={onConfigure}
                onDelete={onDelete}
              />
            </Suspense>
          ) : (
            <SimpleGrid cols={COLUMNS}>
              {providers.data.map((provider) => (
                <ProviderCard
                  key={provider.id}
                  provider={provider}
                  writable={writable}
                  onConfigure={() => onConfigure(provider.id)}
                  onDelete={() => onDelete(provider.id)}
                  onModelsByHand={() => onModelsByHand(provider.id)}
                />
              ))}
            </SimpleGrid>
          )}
        </>
      )}
      <VisuallyHidden role="status">{plural(providers.data.length, "provider")}</VisuallyHidden>
    </Stack>
  );
}

function GhostCard({ animate }: { animate: boolean }) {
  return (
    <Paper p="md" bg="var(--oc-surface)">
      <Stack>
        <Skeleton height={36} width="70%" animate={animate} />
        <Skeleton height={80} animate={animate} />
        <Skeleton height={30} animate={animate} />
      </Stack>
    </Paper>
  );
}
