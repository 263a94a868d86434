/** The filter bar of the models: everything it says stands in the address. */
import { Select } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import type { ModelsSearch } from "@/app/search";
import { providersQuery } from "@/features/providers/queries";
import { count, money } from "@/format/format";
import { Filters } from "@/ui/Filters";
import { SearchField } from "@/ui/SearchField";

import { CAPABILITY_OPTIONS, capabilityLabel } from "./words";

interface ModelFiltersProps {
  search: ModelsSearch;
  onNarrow: (to: ModelsSearch) => void;
}

const PRICES = ["0", "0.1", "0.25", "0.5", "1", "3", "10"];
const CONTEXTS = ["32000", "128000", "200000", "400000", "1000000"];
const STATES = [
  { value: "true", label: "Enabled" },
  { value: "false", label: "Disabled" },
];

const NO_FIELD = {
  provider_id: undefined,
  capability: undefined,
  max_price: undefined,
  min_context: undefined,
  enabled: undefined,
} satisfies ModelsSearch;

export function ModelFilters({ search, onNarrow }: ModelFiltersProps) {
  const providers = useQuery(providersQuery);
  const used = Object.keys(NO_FIELD).filter((name) => search[name as keyof typeof NO_FIELD]).length;
  return (
    <Filters
      used={used}
      onClear={used > 0 || search.search ? () => onNarrow({ search: undefined, ...NO_FIELD }) : undefined}
      search={
        <SearchField
          label="Search"
          placeholder="Model or provider"
          flex="1 1 200px"
          value={search.search ?? ""}
          onSearch={(text) => onNarrow({ search: text || undefined })}
        />
      }
    >
      <Select
        label="Provider"
        placeholder="All"
        clearable
        searchable
        flex="1 1 170px"
        data={providers.data?.map((provider) => ({ value: provider.id, label: provider.name })) ?? []}
        value={search.provider_id ?? null}
        onChange={(id) => onNarrow({ provider_id: id ?? undefined })}
      />
      <Select
        label="Capability"
        placeholder="Any"
        clearable
        searchable
        flex="1 1 160px"
        data={withOwn(CAPABILITY_OPTIONS, search.capability, capabilityLabel)}
        value={search.capability ?? null}
        onChange={(capability) => onNarrow({ capability: capability ?? undefined })}
      />
      <Select
        label="Input price"
        placeholder="Any"
        clearable
        flex="1 1 140px"
        data={withOwn(
          PRICES.map((value) => ({ value, label: priceLabel(value) })),
          search.max_price,
          priceLabel,
        )}
        value={search.max_price ?? null}
        onChange={(price) => onNarrow({ max_price: price ?? undefined })}
      />
      <Select
        label="Context"
        placeholder="Any"
        clearable
        flex="1 1 130px"
        data={withOwn(
          CONTEXTS.map((value) => ({ value, label: contextLabel(value) })),
          search.min_context,
          contextLabel,
        )}
        value={search.min_context ?? null}
        onChange={(context) => onNarrow({ min_context: context ?? undefined })}
      />
      <Select
        label="State"
        placeholder="All"
        clearable
        flex="1 1 120px"
        data={STATES}
        value={search.enabled ?? null}
        onChange={(enabled) => onNarrow({ enabled: (enabled as "true" | "false" | null) ?? undefined })}
      />
    </Filters>
  );
}

const priceLabel = (usd: string): string => (Number(usd) === 0 ? "free" : `≤ ${money(Number(usd))} / 1M`);
const contextLabel = (tokens: string): string => `≥ ${count(Number(tokens))}`;

interface Option {
  value: string;
  label: string;
}

/** A value typed into the address is offered beside the ready ones, so that the field shows what holds. */
function withOwn(options: Option[], value: string | undefined, label: (value: string) => string): Option[] {
  if (value === undefined || options.some((option) => option.value === value)) return options;
  return [...options, { value, label: label(value) }];
}
