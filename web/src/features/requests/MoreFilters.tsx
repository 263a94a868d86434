/** What requests alone can be filtered by: their error, the least they cost and took, and when they started. */
import { NumberInput, Select, TextInput } from "@mantine/core";

import { ERROR_TYPES, type RequestsSearch } from "@/app/search";
import { useTyped } from "@/ui/useTyped";

import { words } from "./outcome";

interface MoreFiltersProps {
  filter: RequestsSearch;
  onNarrow: (to: RequestsSearch) => void;
}

export const NO_MORE: RequestsSearch = {
  error_type: undefined,
  min_cost_usd: undefined,
  min_duration_ms: undefined,
  from_at: undefined,
  to_at: undefined,
};

export const moreUsed = (filter: RequestsSearch): number =>
  [filter.error_type, filter.min_cost_usd, filter.min_duration_ms, filter.from_at ?? filter.to_at].filter(
    (value) => value !== undefined,
  ).length;

const ERRORS = ERROR_TYPES.map((value) => ({ value, label: words(value) }));

export function MoreFilters({ filter, onNarrow }: MoreFiltersProps) {
  return (
    <>
      <Select
        label="Error"
        placeholder="All"
        clearable
        searchable
        flex="1 1 160px"
        maw={{ sm: 240 }}
        comboboxProps={{ width: "max-content", position: "bottom-start" }}
        data={ERRORS}
        value={filter.error_type ?? null}
        onChange={(error_type) => onNarrow({ error_type: ERROR_TYPES.find((one) => one === error_type) })}
      />
      <LeastField
        label="Cost from"
        prefix="$"
        decimals={9}
        value={filter.min_cost_usd}
        onChoose={(min_cost_usd) => onNarrow({ min_cost_usd })}
      />
      <LeastField
        label="Duration from"
        suffix=" ms"
        decimals={0}
        value={filter.min_duration_ms}
        onChoose={(min_duration_ms) => onNarrow({ min_duration_ms })}
      />
      <InstantField label="Started from" value={filter.from_at} onChoose={(from_at) => onNarrow({ from_at })} />
      <InstantField label="Started before" value={filter.to_at} onChoose={(to_at) => onNarrow({ to_at })} />
    </>
  );
}

interface LeastFieldProps {
  label: string;
  prefix?: string;
  suffix?: string;
  decimals: number;
  value: string | undefined;
  onChoose: (value: string | undefined) => void;
}

const REST_MS = 400;

function LeastField({ label, prefix, suffix, decimals, value, onChoose }: LeastFieldProps) {
  const [typed, type] = useTyped(value ?? "", (text) => onChoose(text === "" ? undefined : text), REST_MS);
  return (
    <NumberInput
      label={label}
      placeholder="Any"
      flex="1 1 110px"
      maw={{ sm: 150 }}
      min={0}
      max={86_400_000}
      decimalScale={decimals}
      prefix={prefix}
      suffix={suffix}
      hideControls
      value={typed}
      onChange={(next) => type(String(next))}
    />
  );
}

interface InstantFieldProps {
  label: string;
  value: string | undefined;
  onChoose: (value: string | undefined) => void;
}

/** In the reader's own time zone; the address holds UTC. */
function InstantField({ label, value, onChoose }: InstantFieldProps) {
  return (
    <TextInput
      label={label}
      type="datetime-local"
      flex="1 1 190px"
      maw={{ sm: 220 }}
      value={value === undefined ? "" : localOf(value)}
      onChange={(event) => {
        const typed = event.currentTarget.value;
        onChoose(typed === "" ? undefined : new Date(typed).toISOString().replace(".000Z", "Z"));
      }}
    />
  );
}

const two = (figure: number): string => String(figure).padStart(2, "0");

function localOf(instant: string): string {
  const at = new Date(instant);
  return `${String(at.getFullYear()).padStart(4, "0")}-${two(at.getMonth() + 1)}-${two(at.getDate())}T${two(at.getHours())}:${two(at.getMinutes())}`;
}
