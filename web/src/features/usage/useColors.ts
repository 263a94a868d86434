/** The colours of a chart's lines: a provider's own wherever it is drawn, else eight that stay apart. */
import { useQuery } from "@tanstack/react-query";

import type { Dimension } from "@/api/types";
import { providersQuery } from "@/features/providers/queries";
import { useMay } from "@/features/session/queries";
import { colorOfName, OTHER_COLOR, PALETTE } from "@/theme/providerColor";

import type { Line } from "./words";

/** The colour of a provider by its name, or by its id where that is known. */
export function useProviderColor(): (name: string, id?: string | null) => string {
  const readsProviders = useMay("read gateway");
  const providers = useQuery({ ...providersQuery, enabled: readsProviders });
  return (name, id) =>
    providers.data?.find((provider) => (id ? provider.id === id : provider.name === name))?.color ?? colorOfName(name);
}

export function useLineColor(by: Dimension | null): (line: Line, index: number) => string {
  const providerColor = useProviderColor();
  return (line, index) => {
    if (by === null) return "var(--mantine-color-brand-6)";
    if (line.requests === null || line.group?.value === null) return OTHER_COLOR;
    return by === "provider" ? providerColor(line.label, line.group?.value) : PALETTE[index % PALETTE.length]!;
  };
}
