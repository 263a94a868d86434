/** One bar of filters for whatever is counted: usage, requests. What it offers is what had calls. */
import { Select } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";

import type { Dimension } from "@/api/types";
import type { FilterSearch } from "@/app/search";
import { Filters } from "@/ui/Filters";
import { useStill } from "@/ui/useStill";

import { NO_FILTER, PARAMETERS, usedOf } from "./filters";
import { choicesQuery, nameQuery, type Choice } from "./queries";
import { DIMENSION_LABELS } from "./words";

interface FilterProps {
  filter: FilterSearch;
  onNarrow: (to: FilterSearch) => void;
}

interface FilterBarProps extends FilterProps {
  search?: ReactNode;
  /** What only this page can be filtered by: how many of these are used, their fields, and what clears them too. */
  more?: { used: number; fields: ReactNode; onClear: () => void };
}

const CHOSEN = ["provider", "model", "user", "team", "api_key", "tag", "credential"] as const satisfies readonly Dimension[];

export function FilterBar({ filter, onNarrow, search, more }: FilterBarProps) {
  const used = usedOf(filter);
  return (
    <Filters
      used={used}
      onClear={used + (more?.used ?? 0) > 0 ? (more?.onClear ?? (() => onNarrow(NO_FILTER))) : undefined}
      search={search}
      more={more}
    >
      {CHOSEN.map((dimension) => (
        <DimensionSelect
          key={dimension}
          dimension={dimension}
          value={filter[PARAMETERS[dimension]]}
          onChoose={(value) => onNarrow({ [PARAMETERS[dimension]]: value })}
        />
      ))}
      <StatusSelect filter={filter} onNarrow={onNarrow} />
      {filter.strategy !== undefined && (
        <DimensionSelect
          dimension="strategy"
          value={filter.strategy}
          onChoose={(strategy) => onNarrow({ strategy })}
        />
      )}
    </Filters>
  );
}

interface DimensionSelectProps {
  dimension: Dimension;
  value: string | undefined;
  onChoose: (value: string | undefined) => void;
}

function DimensionSelect({ dimension, value, onChoose }: DimensionSelectProps) {
  const [isOpen, setOpen] = useState(false);
  const { data, loading, ask } = useChoices(dimension, value, isOpen);
  return (
    <Select
      label={DIMENSION_LABELS[dimension]}
      placeholder="All"
      clearable
      searchable
      flex="1 1 130px"
      maw={{ sm: 220 }}
      comboboxProps={{ width: "max-content", position: "bottom-start" }}
      nothingFoundMessage={loading ? "Loading…" : "Nothing was called yet"}
      onFocus={ask}
      onDropdownOpen={() => setOpen(true)}
      onDropdownClose={() => setOpen(false)}
      data={data}
      value={value ?? null}
      onChange={(chosen) => onChoose(chosen ?? undefined)}
    />
  );
}

/** What went well or failed, or one status. */
function StatusSelect({ filter, onNarrow }: FilterProps) {
  const [isOpen, setOpen] = useState(false);
  const { data, ask } = useChoices("status", filter.status_code, isOpen);
  return (
    <Select
      label="Status"
      placeholder="All"
      clearable
      flex="1 1 110px"
      maw={{ sm: 160 }}
      onFocus={ask}
      onDropdownOpen={() => setOpen(true)}
      onDropdownClose={() => setOpen(false)}
      data={[
        { group: "Outcome", items: [{ value: "ok", label: "OK" }, { value: "error", label: "Failed" }] },
        { group: "Code", items: data },
      ]}
      value={filter.status_code ?? filter.status ?? null}
      onChange={(chosen) =>
        onNarrow(
          chosen === "ok" || chosen === "error"
            ? { status: chosen, status_code: undefined }
            : { status: undefined, status_code: chosen ?? undefined },
        )
      }
    />
  );
}

const NO_CHOICES: Choice[] = [];

/** Asked for when somebody reaches for the field; the name of what is chosen already, at once and first. */
function useChoices(dimension: Dimension, value: string | undefined, isOpen: boolean) {
  const [isAsked, setAsked] = useState(false);
  const choices = useQuery({ ...choicesQuery(dimension), enabled: isAsked });
  const named = useQuery({ ...nameQuery(dimension, value ?? ""), enabled: value !== undefined });
  const listed = useStill(choices.data ?? NO_CHOICES, isOpen);
  const chosen = [...listed, ...(named.data ?? [])].find((choice) => choice.value === value);
  return {
    data:
      value === undefined
        ? listed
        : [chosen ?? { value, label: value }, ...listed.filter((choice) => choice.value !== value)],
    loading: choices.isPending,
    ask: () => setAsked(true),
  };
}
