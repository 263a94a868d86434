/** Menu button on small screens, search and commands, the demo label, theme and account. */
import { ActionIcon, Avatar, Badge, Burger, Group, Kbd, Menu, Text, Tooltip, UnstyledButton } from "@mantine/core";
import { IconChartLine, IconKeyboard, IconLogout, IconSearch, IconShieldLock } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link, useRouter } from "@tanstack/react-router";

import { BudgetWarning } from "@/features/budgets/BudgetWarning";
import { signOut, useSystem, useUser } from "@/features/session/queries";

import { openKeyboardHelp, palette } from "./events";
import classes from "./Shell.module.css";
import { ThemeMenu } from "./ThemeMenu";

interface TopBarProps {
  menuOpened: boolean;
  onToggleMenu: () => void;
}

export function TopBar({ menuOpened, onToggleMenu }: TopBarProps) {
  const system = useSystem();
  return (
    <Group h="100%" px="md" gap="sm" wrap="nowrap">
      <Burger
        opened={menuOpened}
        onClick={onToggleMenu}
        hiddenFrom="md"
        size="sm"
        aria-label="Open the menu"
        aria-expanded={menuOpened}
      />
      <UnstyledButton className={classes.searchButton} onClick={palette.open} visibleFrom="sm">
        <IconSearch size={15} />
        <span style={{ flex: 1 }}>Search and commands</span>
        <Kbd size="xs">Ctrl K</Kbd>
      </UnstyledButton>
      <Group ml="auto" gap="xs" wrap="nowrap">
        <BudgetWarning />
        {system?.demo && (
          <Tooltip label="Simulated providers and made-up traffic; nothing here was billed.">
            <Badge color="yellow" tabIndex={0}>
              Demo data
            </Badge>
          </Tooltip>
        )}
        <ActionIcon
          variant="subtle"
          color="gray"
          size="lg"
          hiddenFrom="sm"
          aria-label="Search and commands"
          onClick={palette.open}
        >
          <IconSearch size={18} />
        </ActionIcon>
        <ThemeMenu />
        <AccountMenu />
      </Group>
    </Group>
  );
}

function AccountMenu() {
  const user = useUser();
  const router = useRouter();
  const queryClient = useQueryClient();
  const leave = useMutation({
    mutationKey: ["session", "logout"],
    mutationFn: signOut,
    onSettled: async () => {
      await router.navigate({ to: "/login" });
      queryClient.clear();
    },
  });
  const shown = user.name || user.email;
  return (
    <Menu position="bottom-end" width={240}>
      <Menu.Target>
        <UnstyledButton aria-label={`Account of ${shown}`}>
          <Avatar size={32} color="brand" radius="xl">
            {shown.slice(0, 1).toUpperCase()}
          </Avatar>
        </UnstyledButton>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>
          <Text size="sm" fw={560} c="var(--mantine-color-text)" truncate>
            {shown}
          </Text>
          {user.name && (
            <Text size="xs" truncate title={user.email}>
              {user.email}
            </Text>
          )}
          <Text size="xs">{user.role}</Text>
        </Menu.Label>
        <Menu.Divider />
        <Menu.Item component={Link} to="/account/usage" leftSection={<IconChartLine size={16} />}>
          My usage
        </Menu.Item>
        <Menu.Item component={Link} to="/account/security" leftSection={<IconShieldLock size={16} />}>
          Security
        </Menu.Item>
        <Menu.Item leftSection={<IconKeyboard size={16} />} onClick={openKeyboardHelp}>
          Keyboard shortcuts
        </Menu.Item>
        <Menu.Divider />
        <Menu.Item leftSection={<IconLogout size={16} />} onClick={() => leave.mutate()}>
          Sign out
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
