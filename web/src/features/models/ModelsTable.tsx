/** The models, a page at a time: filtered, sorted and paged by the server, so that thousands stay quick. */
import { ActionIcon, Badge, Code, Group, Stack, Switch, Text, Tooltip } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { IconPencil } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";

import { asApiError } from "@/api/request";
import type { Model, ModelsSort } from "@/api/types";
import type { ModelsSearch } from "@/app/search";
import { useMay } from "@/features/session/queries";
import { count, countExact, plural, score } from "@/format/format";
import { EmptyState } from "@/ui/EmptyState";
import { ProblemAlert } from "@/ui/ProblemAlert";
import { StaleNotice } from "@/ui/StaleNotice";
import { Table } from "@/ui/Table";

import { EditModelDialog } from "./EditModelDialog";
import { ModelFilters } from "./ModelFilters";
import { Price } from "./Price";
import { filterOf, MODELS_PER_PAGE, modelsQuery, pageOf, useChangeModel } from "./queries";
import { SwitchBar } from "./SwitchBar";
import { capabilityLabel, retirement, sourceLabel } from "./words";

const SORT_OF: Readonly<Record<string, ModelsSort>> = {
  name: "name",
  provider_name: "provider",
  context_window: "context",
  price: "price",
  score: "score",
};

export function ModelsTable({ search }: { search: ModelsSearch }) {
  const navigate = useNavigate({ from: "/admin/models" });
  const models = useQuery(modelsQuery(search));
  const writable = useMay("write gateway");
  const [editing, setEditing] = useState<Model | null>(null);
  const [selected, setSelected] = useState<Model[]>([]);
  const filter = filterOf(search);
  const total = models.data?.total ?? 0;
  const sort = search.sort ?? "name";
  const go = (to: ModelsSearch): void => {
    setSelected([]);
    void navigate({ search: (before) => ({ ...before, page: undefined, ...to }), replace: true });
  };

  return (
    <Stack gap="md">
      <ModelFilters search={search} onNarrow={go} />
      <StaleNotice query={models} />
      {writable && total > 0 && (
        <SwitchBar key={JSON.stringify(filter)} selected={selected} total={total} filter={filter} onDone={() => setSelected([])} />
      )}
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
          totalRecords={total}
          recordsPerPage={MODELS_PER_PAGE}
          page={pageOf(search)}
          onPageChange={(next) => {
            setSelected([]);
            void navigate({ search: (before) => ({ ...before, page: String(next) }) });
          }}
          paginationText={({ from, to, totalRecords }) => `${from}–${to} of ${plural(totalRecords, "model")}`}
          sortStatus={{
            columnAccessor: Object.keys(SORT_OF).find((one) => SORT_OF[one] === sort.replace("-", "")) ?? "name",
            direction: sort.startsWith("-") ? "desc" : "asc",
          }}
          onSortStatusChange={({ columnAccessor, direction }) => {
            const field = SORT_OF[String(columnAccessor)] ?? "name";
            const wanted = (direction === "desc" ? `-${field}` : field) as ModelsSort;
            go({ sort: wanted === "name" ? undefined : wanted });
          }}
          {...(writable && {
            selectedRecords: selected,
            onSelectedRecordsChange: setSelected,
            getRecordSelectionCheckboxProps: (model: Model) => ({
              "aria-label": `Select ${model.name} at ${model.provider_name}`,
            }),
            allRecordsSelectionCheckboxProps: { "aria-label": "Select all on this page" },
          })}
          empty={
            Object.keys(filter).length > 0 ? (
              <EmptyState title="No model fits">
                Change the filters, or search for a part of the name. A price or context that nobody knows fits no
                filter.
              </EmptyState>
            ) : (
              <EmptyState
                title="No model yet"
                action={
                  writable
                    ? {
                        label: "Add a provider",
                        onClick: () => void navigate({ to: "/admin/litellm-providers", search: { add: "1" } }),
                      }
                    : undefined
                }
              >
                Add a provider: its models appear here as soon as it has listed them.
              </EmptyState>
            )
          }
          columns={[
            { accessor: "name", title: "Model", sortable: true, render: (model) => <Name model={model} /> },
            { accessor: "provider_name", title: "Provider", sortable: true },
            { accessor: "capabilities", title: "Can", render: (model) => <Capabilities model={model} /> },
            {
              accessor: "context_window",
              title: "Context",
              sortable: true,
              textAlign: "right",
              render: (model) => <Context model={model} />,
            },
            {
              accessor: "price",
              title: "Price in / out per 1M",
              sortable: true,
              render: (model) => <Price model={model} />,
            },
            {
              accessor: "score",
              title: "Score",
              sortable: true,
              textAlign: "right",
              render: (model) => <Score model={model} />,
            },
            {
              accessor: "enabled",
              title: "Enabled",
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
      <EditModelDialog model={editing} onClose={() => setEditing(null)} />
    </Stack>
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
            title: `${model.name} was not ${enabled ? "enabled" : "disabled"}`,
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
        {model.overridden.length > 0 && (
          <Tooltip label={`Set by an administrator: ${model.overridden.map(capabilityLabel).join(", ")}`}>
            <Badge size="xs" variant="light" color="gray" tabIndex={0}>
              edited
            </Badge>
          </Tooltip>
        )}
      </Group>
      <Code fz="xs" bg="transparent" p={0}>
        {model.name}
      </Code>
      {model.served_as.length > 0 && (
        <Text size="xs" c="dimmed">
          also as {model.served_as.join(", ")}
        </Text>
      )}
      {(model.retires_on ?? model.successor) && <Retirement model={model} />}
    </Stack>
  );
}

function Retirement({ model: { retires_on, successor } }: { model: Model }) {
  const { label, soon } = retirement(retires_on);
  return (
    <Text size="xs" fw={560} c={soon ? "red" : undefined}>
      {label}
      {successor && `, succeeded by ${successor}`}
    </Text>
  );
}

const SHOWN = 3;

function Capabilities({ model }: { model: Model }) {
  const labels = model.capabilities.map(capabilityLabel);
  if (labels.length === 0) return <Text size="sm" c="dimmed" component="span">unknown</Text>;
  return (
    <Tooltip multiline maw={320} label={`${labels.join(", ")}. From: ${sourceLabel(model.sources.capabilities)}.`}>
      <Text size="xs" miw={110} maw={170}>
        {labels.slice(0, SHOWN).join(", ")}
        {labels.length > SHOWN && ` +${labels.length - SHOWN}`}
      </Text>
    </Tooltip>
  );
}

function Context({ model }: { model: Model }) {
  if (model.context_window === null) return <Text size="sm" c="dimmed" component="span">unknown</Text>;
  const output = model.max_output_tokens === null ? "" : ` At most ${countExact(model.max_output_tokens)} out.`;
  return (
    <Tooltip label={`${countExact(model.context_window)} tokens.${output} From: ${sourceLabel(model.sources.context_window)}.`}>
      <span className="oc-figures">{count(model.context_window)}</span>
    </Tooltip>
  );
}

function Score({ model }: { model: Model }) {
  if (model.score === null) {
    return (
      <Tooltip
        multiline
        maw={300}
        label="No published benchmark of it is known, and none is made up. Strategies rank it like the weakest quarter of the models that have one; set a score if you know better."
      >
        <Text size="xs" c="dimmed" component="span" style={{ whiteSpace: "nowrap" }}>
          no benchmark
        </Text>
      </Tooltip>
    );
  }
  return (
    <Tooltip label={`From: ${sourceLabel(model.score_source ?? undefined)}`}>
      <span className="oc-figures">{score(model.score)}</span>
    </Tooltip>
  );
}
