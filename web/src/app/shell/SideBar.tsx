/** The brand, the groups of pages that this role has, and the version. */
import { AppShell, CloseButton, Group, NavLink, ScrollArea, Stack, Text } from "@mantine/core";
import { Link, useLocation } from "@tanstack/react-router";
import { useId } from "react";

import { navigationFor, type NavigationGroup } from "@/app/navigation";
import { useSystem, useUser } from "@/features/session/queries";
import { Mark } from "@/ui/Mark";

import classes from "./Shell.module.css";

export function SideBar({ onClose }: { onClose: () => void }) {
  const user = useUser();
  const system = useSystem();
  return (
    <>
      <AppShell.Section h={52} px="md">
        <Group h="100%" gap={10} wrap="nowrap">
          <Mark />
          <Stack gap={0} flex={1} miw={0}>
            <Text fw={650} lh={1.25}>
              Ops-Center
            </Text>
            {system?.organisation && (
              <Text size="xs" c="dimmed" lh={1.25} truncate>
                {system.organisation}
              </Text>
            )}
          </Stack>
          <CloseButton aria-label="Close the menu" hiddenFrom="md" onClick={onClose} />
        </Group>
      </AppShell.Section>
      <AppShell.Section grow component={ScrollArea} px="sm">
        {navigationFor(user.role).map((group) => (
          <GroupOfLinks key={group.label} group={group} onClose={onClose} />
        ))}
      </AppShell.Section>
      <AppShell.Section px="md" py="sm">
        <Text size="xs" c="dimmed">
          {system ? `Version ${system.version}` : " "}
        </Text>
      </AppShell.Section>
    </>
  );
}

function GroupOfLinks({ group, onClose }: { group: NavigationGroup; onClose: () => void }) {
  const id = useId();
  const { pathname } = useLocation();
  return (
    <div role="group" aria-labelledby={id}>
      <div id={id} className={classes.groupLabel}>
        {group.label}
      </div>
      {group.items.map((item) => (
        <NavLink
          key={item.to}
          renderRoot={(props) => <Link to={item.to} activeOptions={{ exact: item.exact }} {...props} />}
          label={item.label}
          leftSection={<item.icon size={18} stroke={1.6} />}
          rightSection={item.Mark && <item.Mark />}
          active={pathname === item.to || (!item.exact && pathname.startsWith(`${item.to}/`))}
          className={classes.link}
          onClick={onClose}
        />
      ))}
    </div>
  );
}
