/** Names that stand for families of models: what each means now, and what an administrator makes of it. */
import { Badge, Button, Code, Group, Stack, Text } from "@mantine/core";
import { IconPlus } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";

import { asApiError } from "@/api/request";
import type { Alias } from "@/api/types";
import type { ModelsSearch } from "@/app/search";
import { useMay } from "@/features/session/queries";
import { EmptyState } from "@/ui/EmptyState";
import { ProblemAlert } from "@/ui/ProblemAlert";
import { SearchField } from "@/ui/SearchField";
import { StaleNotice } from "@/ui/StaleNotice";
import { StatusDot } from "@/ui/StatusDot";
import { Table } from "@/ui/Table";

import { AliasDialog } from "./AliasDialog";
import { aliasesQuery } from "./queries";
import { TakeAliasBackDialog } from "./TakeAliasBackDialog";

const ORIGINS: Readonly<Record<Alias["origin"], string>> = {
  packaged: "comes with Ops-Center",
  changed: "changed here",
  own: "made here",
};

export function AliasesTable({ search }: { search: ModelsSearch }) {
  const navigate = useNavigate({ from: "/admin/models" });
  const query = useQuery(aliasesQuery);
  const writable = useMay("write gateway");
  const [editing, setEditing] = useState<Alias | "new" | null>(null);
  const [takingBack, setTakingBack] = useState<Alias | null>(null);
  const words = (search.search ?? "").toLowerCase().split(/\s+/);
  const found = query.data?.filter(({ name, candidates }) => {
    const text = `${name} ${candidates.join(" ")}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });

  return (
    <Stack gap="md">
      <Group gap="sm" align="flex-end" justify="space-between">
        <SearchField
          label="Search"
          placeholder="Alias or model"
          atOnce
          flex="1 1 220px"
          maw={420}
          value={search.search ?? ""}
          onSearch={(text) =>
            void navigate({ search: (before) => ({ ...before, search: text || undefined }), replace: true })
          }
        />
        {writable && (
          <Button leftSection={<IconPlus size={16} />} onClick={() => setEditing("new")}>
            Add Alias
          </Button>
        )}
      </Group>
      <StaleNotice query={query} />
      {query.isError && !query.data ? (
        <ProblemAlert
          error={asApiError(query.error)}
          title="The aliases could not be loaded"
          onRetry={() => void query.refetch()}
        />
      ) : (
        <Table<Alias>
          label="Aliases"
          idAccessor="name"
          records={found}
          fetching={query.isPending}
          empty={<EmptyState title="No alias fits">Search for a part of its name, or of a model that it may mean.</EmptyState>}
          columns={[
            {
              accessor: "name",
              title: "Alias",
              render: (alias) => (
                <Stack gap={2} miw={{ base: 110, sm: 180 }}>
                  <Code fz="sm" bg="transparent" p={0} fw={560}>
                    {alias.name}
                  </Code>
                  {alias.origin === "packaged" ? (
                    <Text size="xs" c="dimmed">
                      {ORIGINS.packaged}
                    </Text>
                  ) : (
                    <Badge size="xs" variant="light">
                      {ORIGINS[alias.origin]}
                    </Badge>
                  )}
                </Stack>
              ),
            },
            { accessor: "resolves_to", title: "Means now", render: (alias) => <Meaning alias={alias} /> },
            {
              accessor: "candidates",
              title: "Candidates, the first that is served is called",
              render: ({ candidates }) => (
                <Text size="xs" c="dimmed" miw={260} title={candidates.join("\n")} lineClamp={2}>
                  {candidates.join(" → ")}
                </Text>
              ),
            },
            {
              accessor: "actions",
              title: "Actions",
              textAlign: "right",
              hidden: !writable,
              render: (alias) => (
                <Group gap={6} justify="flex-end" wrap="nowrap">
                  <Button size="compact-xs" variant="default" aria-label={`Edit ${alias.name}`} onClick={() => setEditing(alias)}>
                    Edit
                  </Button>
                  {alias.origin !== "packaged" && (
                    <Button
                      size="compact-xs"
                      variant="light"
                      color="red"
                      aria-label={`${alias.origin === "own" ? "Delete" : "Reset"} ${alias.name}`}
                      onClick={() => setTakingBack(alias)}
                    >
                      {alias.origin === "own" ? "Delete" : "Reset"}
                    </Button>
                  )}
                </Group>
              ),
            },
          ]}
        />
      )}
      <AliasDialog editing={editing} aliases={query.data ?? []} onClose={() => setEditing(null)} />
      <TakeAliasBackDialog alias={takingBack} onClose={() => setTakingBack(null)} />
    </Stack>
  );
}

function Meaning({ alias: { name, resolves_to: model, providers, hidden_by_model: hidden } }: { alias: Alias }) {
  if (hidden) {
    return (
      <Stack gap={2} miw={{ base: 150, sm: 220 }}>
        <StatusDot wraps color="green" label={`the model ${name} itself`} reason="A model of this very name is served, and wins over the alias." />
        {model !== null && (
          <Text size="xs" c="dimmed">
            else {model}
          </Text>
        )}
      </Stack>
    );
  }
  if (model === null) {
    return (
      <StatusDot
        wraps
        color="gray"
        label="nothing: nobody serves a candidate"
        reason="A request for it is answered with 404 until a provider serves one of its candidates."
      />
    );
  }
  return (
    <Stack gap={2} miw={{ base: 150, sm: 220 }}>
      <StatusDot wraps color="green" label={model} />
      <Text size="xs" c="dimmed">
        at {providers.slice(0, 3).join(", ")}
        {providers.length > 3 && ` and ${providers.length - 3} more`}
      </Text>
    </Stack>
  );
}
