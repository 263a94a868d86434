/** Ctrl/Cmd-K: go to any page or provider, or do the common things. */
import { useMantineColorScheme } from "@mantine/core";
import { useWindowEvent } from "@mantine/hooks";
import { Spotlight, spotlight, type SpotlightActionData, type SpotlightActionGroupData } from "@mantine/spotlight";
import "@mantine/spotlight/styles.css";
import { IconArrowsSplit, IconKey, IconMoon, IconPlus, IconSearch, IconServerBolt, IconSun } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useRouter } from "@tanstack/react-router";
import { useState } from "react";

import { navigationFor } from "@/app/navigation";
import { providersQuery } from "@/features/providers/queries";
import { useChangeStrategy } from "@/features/routing/queries";
import { STRATEGIES } from "@/features/routing/strategies";
import { useMay, useUser } from "@/features/session/queries";

import { OPEN_COMMANDS } from "./events";

export function Commands() {
  const router = useRouter();
  const user = useUser();
  const reads = useMay("read gateway");
  const writes = useMay("write gateway");
  const createsKeys = useMay("create keys");
  const { setColorScheme } = useMantineColorScheme();
  const [opened, setOpened] = useState(false);
  const providers = useQuery({ ...providersQuery, enabled: opened && reads });
  const changeStrategy = useChangeStrategy();
  useWindowEvent(OPEN_COMMANDS, () => spotlight.open());

  const go = (href: string) => () => router.history.push(href);
  const doing: SpotlightActionData[] = [
    ...(writes
      ? [
          {
            id: "add-provider",
            label: "Add a provider",
            leftSection: <IconPlus size={18} />,
            onClick: go("/admin/litellm-providers?add=1"),
          },
          ...STRATEGIES.map(({ value, label }) => ({
            id: `strategy-${value}`,
            label: `Route: ${label}`,
            keywords: ["strategy", "routing"],
            leftSection: <IconArrowsSplit size={18} />,
            onClick: () => changeStrategy.mutate(value),
          })),
        ]
      : []),
    ...(createsKeys
      ? [
          {
            id: "create-key",
            label: "Create an API key",
            leftSection: <IconKey size={18} />,
            onClick: go("/account/api-keys?create=1"),
          },
        ]
      : []),
    { id: "light", label: "Light theme", leftSection: <IconSun size={18} />, onClick: () => setColorScheme("light") },
    { id: "dark", label: "Dark theme", leftSection: <IconMoon size={18} />, onClick: () => setColorScheme("dark") },
  ];
  const groups: SpotlightActionGroupData[] = [
    {
      group: "Pages",
      actions: navigationFor(user.role).flatMap((group) =>
        group.items.map((item) => ({
          id: item.to,
          label: item.label,
          description: group.label,
          leftSection: <item.icon size={18} stroke={1.6} />,
          onClick: go(item.to),
        })),
      ),
    },
    { group: "Do", actions: doing },
    // Last: they come later than the others, which stay where they are.
    {
      group: "Providers",
      actions: (providers.data ?? []).map((provider) => ({
        id: provider.id,
        label: provider.name,
        description: provider.type_name,
        leftSection: <IconServerBolt size={18} stroke={1.6} />,
        onClick: go(`/admin/litellm-providers?configure=${provider.id}`),
      })),
    },
  ];

  return (
    <Spotlight
      actions={groups.filter((group) => group.actions.length > 0)}
      shortcut={["mod + K"]}
      tagsToIgnore={[]}
      nothingFound="Nothing found"
      highlightQuery
      scrollable
      maxHeight={420}
      onSpotlightOpen={() => setOpened(true)}
      onSpotlightClose={() => setOpened(false)}
      attributes={{
        content: { "aria-label": "Search and commands" },
        actionsList: { viewportProps: { tabIndex: 0, role: "group", "aria-label": "Results" } },
      }}
      searchProps={{
        leftSection: <IconSearch size={18} stroke={1.6} />,
        placeholder: "Page, provider, command…",
        "aria-label": "Search and commands",
      }}
    />
  );
}
