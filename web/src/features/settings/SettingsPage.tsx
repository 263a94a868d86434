/** Settings: the organisation, how people sign in, and where the rest is set. */
import { Anchor, Checkbox, Group, List, Select, Skeleton, Stack, Text, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useRouter } from "@tanstack/react-router";
import { useMemo } from "react";

import { asApiError } from "@/api/request";
import type { Role, Settings } from "@/api/types";
import { sessionQuery } from "@/features/session/queries";
import { ROLES } from "@/features/users/roles";
import { PageHeader } from "@/ui/PageHeader";
import { Panel } from "@/ui/Panel";
import { ProblemAlert } from "@/ui/ProblemAlert";
import { FORM_WIDTH, SaveButton, useSaving } from "@/ui/SaveForm";
import { StaleNotice } from "@/ui/StaleNotice";

import { BodiesForm } from "./BodiesForm";
import { Deliveries } from "./Deliveries";
import { NotificationsForm } from "./NotificationsForm";
import { QueueForm } from "./QueueForm";
import { RetentionForm } from "./RetentionForm";
import { SingleSignOnForm } from "./SingleSignOnForm";
import { settingsQuery, useChangeSettings } from "./queries";

export function SettingsPage() {
  const settings = useQuery(settingsQuery);
  return (
    <>
      <PageHeader title="Settings" description="What holds for everybody. A change holds at once and is in the audit log." />
      <Stack gap="lg">
        <StaleNotice query={settings} />
        {settings.isError && !settings.data && (
          <ProblemAlert
            error={asApiError(settings.error)}
            title="The settings could not be loaded"
            onRetry={() => void settings.refetch()}
          />
        )}
        {settings.isPending && [240, 180, 560].map((height) => <Skeleton key={height} height={height} radius="md" />)}
        {settings.data && (
          <>
            <Panel title="Organisation" description="Who runs this installation.">
              <Organisation settings={settings.data} />
            </Panel>
            <Panel title="Sign-in" description="How people prove who they are.">
              <SignIn settings={settings.data} />
            </Panel>
            <Panel
              title="Single Sign-on"
              description="An OpenID Connect provider beside passwords. The address to allow there ends in /sso."
            >
              <SingleSignOnForm settings={settings.data} />
            </Panel>
            <Panel title="Limits" description="What happens to a request over a limit per minute or at once.">
              <QueueForm settings={settings.data} />
            </Panel>
            <Panel
              title="Prompts and Answers"
              description="What is stored of them. Off, they pass through the gateway and leave nothing behind."
            >
              <BodiesForm settings={settings.data} />
            </Panel>
            <Panel
              title="Notifications"
              description="Thresholds of budgets, providers that go down and come back, keys that are refused."
            >
              <Stack gap="lg">
                <NotificationsForm settings={settings.data} />
                <Deliveries />
              </Stack>
            </Panel>
            <Panel title="Retention" description="How long details are kept; what is older is deleted in the background.">
              <RetentionForm settings={settings.data} />
            </Panel>
            <Panel title="Set Elsewhere" description="These stand beside the figures that they change.">
              <List size="sm" spacing={6}>
                <List.Item>
                  <Anchor component={Link} to="/admin/litellm-providers" underline="always" size="sm">
                    Routing strategy, power levels and the policy over own keys
                  </Anchor>
                </List.Item>
                <List.Item>
                  <Anchor component={Link} to="/admin/users" underline="always" size="sm">
                    Users, roles and invitations
                  </Anchor>
                </List.Item>
              </List>
            </Panel>
          </>
        )}
      </Stack>
    </>
  );
}

/** The zones that the browser knows, and the one that is set. */
function zonesWith(current: string): string[] {
  return [...new Set(["UTC", current, ...Intl.supportedValuesOf("timeZone")])].toSorted();
}

function Organisation({ settings }: { settings: Settings }) {
  const { name = "", time_zone = "UTC" } = settings.organisation;
  const form = useForm({ initialValues: { name, time_zone } });
  const zones = useMemo(() => zonesWith(time_zone), [time_zone]);
  const saving = useSaving(form, useChangeSettings());
  const submit = form.onSubmit((values) =>
    saving.save({ organisation: { name: values.name.trim(), time_zone: values.time_zone } }),
  );
  return (
    <form onSubmit={submit} noValidate>
      <Stack gap="md" maw={FORM_WIDTH}>
        <TextInput
          label="Name"
          description="In invitations and in authenticator apps; may stay empty."
          autoComplete="organization"
          {...form.getInputProps("name")}
        />
        <Select
          label="Time zone"
          description="Where its days, weeks and months begin, for budgets."
          data={zones}
          searchable
          allowDeselect={false}
          {...form.getInputProps("time_zone")}
        />
        <SaveButton saving={saving}>Save Organisation</SaveButton>
      </Stack>
    </form>
  );
}

function SignIn({ settings }: { settings: Settings }) {
  const router = useRouter();
  const queryClient = useQueryClient();
  const form = useForm({ initialValues: { roles: settings.sign_in.second_factor_roles ?? [] } });
  const saving = useSaving(form, useChangeSettings());
  const submit = form.onSubmit(({ roles }) =>
    saving.save(
      { sign_in: { second_factor_roles: roles as Role[] } },
      {
        onSaved: () =>
          void queryClient.fetchQuery({ ...sessionQuery, staleTime: 0 }).then((me) => {
            if (me.secondFactorMissing) void router.navigate({ to: "/second-factor" });
          }),
      },
    ),
  );
  return (
    <form onSubmit={submit} noValidate>
      <Stack gap="md">
        <Checkbox.Group
          label="Roles that must have a second factor"
          description="Whoever has none yet sets it up before anything else, in sessions that are there already too."
          {...form.getInputProps("roles")}
        >
          <Group mt="xs">
            {ROLES.map(({ value, label }) => (
              <Checkbox key={value} value={value} label={label} />
            ))}
          </Group>
        </Checkbox.Group>
        <Text size="sm" c="dimmed">
          Your own role included: you would be asked right after saving, if you have none.
        </Text>
        <SaveButton saving={saving}>Save Sign-in</SaveButton>
      </Stack>
    </form>
  );
}
