/** Every model that the gateway can serve: found, switched, priced. */
import { ActionIcon, Badge, Code, Group, Select, Stack, Switch, Text, Tooltip } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { IconPencil } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";

import { asApiError } from "@/api/request";
import type { Model } from "@/api/types";
import type { ModelsSearch } from "@/app/search";
import { providersQuery } from "@/features/providers/queries";
import { useMay } from "@/features/session/queries";
import { count, money, plural } from "@/format/format";
import { EmptyState } from "@/ui/EmptyState";
import { PageHeader } from "@/ui/PageHeader";
import { ProblemAlert } from "@/ui/ProblemAlert";
import { SearchField } from "@/ui/SearchField";
import { StaleNotice } from "@/ui/StaleNotice";
import { Table } from "@/ui/Table";

import { EditModelDialog } from "./EditModelDialog";
import { MODELS_PER_PAGE, modelsQuery, useChangeModel } from "./queries";

export function ModelsPage() {
  const { page: pageText, ...filter } = useSearch({ from: "/signed-in/admin/models" });
  const navigate = useNavigate({ from: "/admin/models" });
  const page = Math.max(1, Number(pageText) || 1);
  const models = useQuery(modelsQuery({ ...filter, page }));
  const providers = useQuery(providersQuery);
  const writable = useMay("write gateway");
  const [editing, setEditing] = useState<Model | null>(null);
  const narrow = (to: ModelsSearch): void =>
    void navigate({ search: (before) => ({ ...before, page: undefined, ...to }), replace: true });
  const isFiltered = Boolean(filter.search ?? filter.provider_id ?? filter.enabled);

  return (
    <>
      <PageHeader
        title="Models"
        description="What the providers serve. A model that is switched off gets no traffic from anybody."
      />
      <Stack gap="md">
        <Group gap="sm" align="flex-end">
          <SearchField
            label="Search"
            placeholder="Name or alias"
            flex="1 1 220px"
            value={filter.search ?? ""}
            onSearch={(search) => narrow({ search: search || undefined })}
          />
          <Select
            label="Provider"
            placeholder="All"
            clearable
            searchable
            w={200}
            data={providers.data?.map((provider) => ({ value: provider.id, label: provider.name })) ?? []}
            value={filter.provider_id ?? null}
            onChange={(id) => narrow({ provider_id: id ?? undefined })}
          />
          <Select
            label="State"
            placeholder="All"
            clearable
            w={130}
            data={[
              { value: "true", label: "Switched on" },
              { value: "false", label: "Switched off" },
            ]}
            value={filter.enabled ?? null}
            onChange={(enabled) => narrow({ enabled: (enabled as "true" | "false" | null) ?? undefined })}
          />
        </Group>
        <StaleNotice query={models} />
        {models.isError && !models.data ? (
          <ProblemAlert
            error={asApiError(models.error)}
            title="The models could not be loaded"
            onRetry={() => void models.refetch()}
          />
        ) : (
          <Table<Model>
            label="Models"
            records={models.data?.models}
            fetching={models.isPending}
            totalRecords={models.data?.total ?? 0}
            recordsPerPage={MODELS_PER_PAGE}
            page={page}
            onPageChange={(next) => void navigate({ search: (before) => ({ ...before, page: String(next) }) })}
            paginationText={({ from, to, totalRecords }) => `${from}–${to} of ${plural(totalRecords, "model")}`}
            empty={
              isFiltered ? (
                <EmptyState title="No model fits">Change the filters, or search for a part of the name.</EmptyState>
              ) : (
                <EmptyState title="No model yet">
                  Add a provider: its models appear here as soon as it has listed them.
                </EmptyState>
              )
            }
            columns={[
              { accessor: "name", title: "Model", render: (model) => <Name model={model} /> },
              { accessor: "provider_name", title: "Provider" },
              {
                accessor: "context_window",
                title: "Context",
                textAlign: "right",
                render: (model) => (model.context_window ? count(model.context_window) : "–"),
              },
              {
                accessor: "price",
                title: "Price in / out per 1M",
                render: (model) => <Price model={model} />,
              },
              {
                accessor: "score",
                title: "Score",
                textAlign: "right",
                render: (model) =>
                  model.score === null ? (
                    "–"
                  ) : (
                    <Tooltip label={model.score_source ?? "No source is known"}>
                      <span>{model.score.toLocaleString("en-US", { maximumFractionDigits: 1 })}</span>
                    </Tooltip>
                  ),
              },
              {
                accessor: "enabled",
                title: "On",
                render: (model) => <EnabledSwitch key={model.id} model={model} disabled={!writable} />,
              },
              {
                accessor: "actions",
                title: "Edit",
                hidden: !writable,
                render: (model) => (
                  <ActionIcon
                    variant="subtle"
                    color="gray"
                    aria-label={`Edit ${model.name} at ${model.provider_name}`}
                    onClick={() => setEditing(model)}
                  >
                    <IconPencil size={16} />
                  </ActionIcon>
                ),
              },
            ]}
          />
        )}
      </Stack>
      <EditModelDialog model={editing} onClose={() => setEditing(null)} />
    </>
  );
}

/** Moves at once, and moves back with a word when the server refuses. */
function EnabledSwitch({ model, disabled }: { model: Model; disabled: boolean }) {
  const change = useChangeModel();
  const [wanted, setWanted] = useState<boolean | null>(null);
  const toggle = (enabled: boolean): void => {
    setWanted(enabled);
    change.mutate(
      { id: model.id, change: { enabled } },
      {
        onSettled: () => setWanted(null),
        onError: (error) =>
          notifications.show({
            color: "red",
            title: `${model.name} was not switched ${enabled ? "on" : "off"}`,
            message: asApiError(error).message,
          }),
      },
    );
  };
  return (
    <Switch
      size="sm"
      aria-label={`${model.name} at ${model.provider_name}`}
      checked={wanted ?? model.enabled}
      disabled={disabled}
      onChange={(event) => toggle(event.currentTarget.checked)}
    />
  );
}

function Name({ model }: { model: Model }) {
  return (
    <Stack gap={2} miw={200}>
      <Group gap={6}>
        <Text size="sm" fw={560}>
          {model.display_name}
        </Text>
        {model.origin === "manual" && <Badge size="xs">by hand</Badge>}
      </Group>
      <Code fz="xs" bg="transparent" p={0}>
        {model.name}
      </Code>
      {model.served_as.length > 0 && (
        <Text size="xs" c="dimmed">
          also as {model.served_as.join(", ")}
        </Text>
      )}
    </Stack>
  );
}

function Price({ model }: { model: Model }) {
  const { price } = model;
  if (!price) {
    return (
      <Tooltip label="Calls to it are recorded with an unknown cost until a price is set.">
        <Text size="sm" c="dimmed" component="span">
          unknown
        </Text>
      </Tooltip>
    );
  }
  const cache =
    price.cache_read_mtok === null ? "" : ` Cached input ${money(price.cache_read_mtok)} per 1M.`;
  const tiers = price.tiered ? " Larger requests have other prices." : "";
  return (
    <Tooltip label={`From ${price.source}, as of ${price.as_of}.${cache}${tiers}`}>
      <Stack gap={0} miw={130}>
        <Text size="sm" className="oc-figures">
          {money(price.input_mtok)} / {money(price.output_mtok)}
          {price.tiered ? " +" : ""}
        </Text>
        <Text size="xs" c="dimmed">
          {price.source}
        </Text>
      </Stack>
    </Tooltip>
  );
}
