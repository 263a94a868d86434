/** Ctrl/Cmd-K: go to any page, request, provider, user or model, or do the common things. */
import { useMantineColorScheme } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { Spotlight, useSpotlight, type SpotlightActionData, type SpotlightActionGroupData } from "@mantine/spotlight";
import "@mantine/spotlight/styles.css";
import {
  IconArrowsSplit,
  IconCube,
  IconKey,
  IconListDetails,
  IconMoon,
  IconPlus,
  IconSearch,
  IconServerBolt,
  IconSun,
  IconUser,
} from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useRouter } from "@tanstack/react-router";

import { navigationFor } from "@/app/navigation";
import { modelsQuery } from "@/features/models/queries";
import { providersQuery } from "@/features/providers/queries";
import { useChangeStrategy } from "@/features/routing/queries";
import { STRATEGIES } from "@/features/routing/strategies";
import { useMay, useUser } from "@/features/session/queries";
import { usersQuery } from "@/features/users/queries";

import { paletteStore } from "./events";

const REST_MS = 150;
const MODELS_SHOWN = 8;
const REQUEST_ID = /^req_[0-9a-z]{8,}$/i;

export function Commands() {
  const router = useRouter();
  const user = useUser();
  const reads = useMay("read gateway");
  const writes = useMay("write gateway");
  const administers = useMay("manage users");
  const createsKeys = useMay("create keys");
  const { setColorScheme } = useMantineColorScheme();
  const { opened, query } = useSpotlight(paletteStore);
  const wanted = query.trim();
  const [settled] = useDebouncedValue(wanted, REST_MS);
  const providers = useQuery({ ...providersQuery, enabled: opened && reads });
  const users = useQuery({ ...usersQuery, enabled: opened && administers });
  const models = useQuery({ ...modelsQuery({ search: settled }), enabled: opened && reads && settled.length > 1 });
  const changeStrategy = useChangeStrategy();

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
      group: "Requests",
      actions:
        reads && REQUEST_ID.test(wanted)
          ? [
              {
                id: "request",
                label: wanted,
                description: "The request with this id",
                leftSection: <IconListDetails size={18} stroke={1.6} />,
                onClick: go(`/admin/requests/${encodeURIComponent(wanted)}`),
              },
            ]
          : [],
    },
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
    {
      group: "Users",
      actions: wanted
        ? (users.data ?? []).map((one) => ({
            id: one.id,
            label: one.name || one.email,
            description: one.name ? one.email : undefined,
            leftSection: <IconUser size={18} stroke={1.6} />,
            onClick: go(`/admin/users?search=${encodeURIComponent(one.email)}`),
          }))
        : [],
    },
    {
      group: "Models",
      actions: (settled.length > 1 ? (models.data?.models ?? []) : []).slice(0, MODELS_SHOWN).map((model) => ({
        id: model.id,
        label: model.name,
        description: model.provider_name,
        keywords: [model.display_name],
        leftSection: <IconCube size={18} stroke={1.6} />,
        onClick: go(
          `/admin/models?search=${encodeURIComponent(model.name)}&provider_id=${encodeURIComponent(model.provider_id)}`,
        ),
      })),
    },
  ];

  return (
    <Spotlight
      actions={groups.filter((group) => group.actions.length > 0)}
      store={paletteStore}
      shortcut={null}
      nothingFound="Nothing found"
      highlightQuery
      scrollable
      maxHeight={420}
      attributes={{
        content: { "aria-label": "Search and commands" },
        actionsList: { viewportProps: { tabIndex: 0, role: "group", "aria-label": "Results" } },
      }}
      searchProps={{
        leftSection: <IconSearch size={18} stroke={1.6} />,
        placeholder: reads ? "Page, provider, model, request id, command…" : "Page, command…",
        "aria-label": "Search and commands",
      }}
    />
  );
}
