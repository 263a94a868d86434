/** Who is told without looking, and by which way: an SMTP server, a signed webhook, and a test of each. */
import { Alert, Button, Fieldset, Group, NumberInput, PasswordInput, Select, Stack, Switch, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";

import { asApiError } from "@/api/request";
import type { NotificationChannel, NotificationSettings, Settings } from "@/api/types";
import { BusyButton } from "@/ui/BusyButton";
import { CopyButton } from "@/ui/CopyButton";
import { ProblemAlert } from "@/ui/ProblemAlert";
import { FORM_WIDTH, SaveButton, useSaving } from "@/ui/SaveForm";

import { useTestNotifications } from "./notificationQueries";
import { useChangeSettings } from "./queries";

const TLS = [
  { value: "starttls", label: "STARTTLS" },
  { value: "tls", label: "TLS from the start" },
  { value: "none", label: "None (private network only)" },
];

/** 32 random bytes, as Standard Webhooks writes them. */
function newSecret(): string {
  return `whsec_${btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(32))))}`;
}

export function NotificationsForm({ settings }: { settings: Settings }) {
  const saved = settings.notifications;
  const form = useForm({
    initialValues: {
      email_enabled: saved.email_enabled ?? false,
      smtp_host: saved.smtp_host ?? "",
      smtp_port: (saved.smtp_port ?? 587) as number | string,
      smtp_tls: saved.smtp_tls ?? "starttls",
      smtp_user: saved.smtp_user ?? "",
      smtp_password: "",
      email_from: saved.email_from ?? "",
      webhook_enabled: saved.webhook_enabled ?? false,
      webhook_url: saved.webhook_url ?? "",
      webhook_secret: "",
      allow_private_network: saved.allow_private_network ?? false,
    },
    validate: {
      smtp_port: (value) => (Number(value) >= 1 && Number(value) <= 65_535 ? null : "A number from 1 to 65535"),
    },
  });
  const saving = useSaving(form, useChangeSettings());
  const submit = form.onSubmit(({ smtp_password, webhook_secret, smtp_port, smtp_tls, ...others }) =>
    saving.save(
      {
        notifications: {
          ...others,
          smtp_port: Number(smtp_port),
          smtp_tls: smtp_tls as NotificationSettings["smtp_tls"],
          ...(smtp_password && { smtp_password }),
          ...(webhook_secret && { webhook_secret }),
        },
      },
      {
        onSaved: () => {
          form.setValues({ smtp_password: "", webhook_secret: "" });
          form.resetDirty();
        },
      },
    ),
  );
  const reveal = { "aria-label": "Reveal or hide what is typed", tabIndex: 0 };
  return (
    <form onSubmit={submit} noValidate>
      <Stack gap="md" maw={FORM_WIDTH}>
        <Fieldset legend="Email">
          <Stack gap="md">
            <Switch label="Send email" {...form.getInputProps("email_enabled", { type: "checkbox" })} />
            <Group align="flex-start" gap="md" wrap="nowrap">
              <TextInput label="SMTP host" placeholder="smtp.example.com" flex={1} {...form.getInputProps("smtp_host")} />
              <NumberInput label="Port" w={96} min={1} max={65_535} {...form.getInputProps("smtp_port")} />
            </Group>
            <Select label="Encryption" allowDeselect={false} data={TLS} {...form.getInputProps("smtp_tls")} />
            <TextInput label="SMTP user" autoComplete="off" {...form.getInputProps("smtp_user")} />
            <PasswordInput
              label="SMTP password"
              description={saved.smtp_password ? "One is set. Leave blank to keep it." : "None is set."}
              autoComplete="off"
              visibilityToggleButtonProps={reveal}
              {...form.getInputProps("smtp_password")}
            />
            <TextInput label="From" placeholder="ops@example.com" {...form.getInputProps("email_from")} />
            <SendTest channel="email" label="Send a Test to Me" ready={Boolean(saved.email_enabled)} dirty={form.isDirty()} />
          </Stack>
        </Fieldset>
        <Fieldset legend="Webhook">
          <Stack gap="md">
            <Switch label="Call a webhook" {...form.getInputProps("webhook_enabled", { type: "checkbox" })} />
            <TextInput
              label="Address"
              placeholder="https://hooks.example.com/ops"
              {...form.getInputProps("webhook_url")}
            />
            <PasswordInput
              label="Signing secret"
              description={
                saved.webhook_secret ? "One is set. Leave blank to keep it." : "None is set. Its receiver verifies with it."
              }
              autoComplete="off"
              visibilityToggleButtonProps={reveal}
              {...form.getInputProps("webhook_secret")}
            />
            <Group>
              <Button variant="default" size="xs" onClick={() => form.setFieldValue("webhook_secret", newSecret())}>
                Make a Secret
              </Button>
              {form.values.webhook_secret && <CopyButton text={form.values.webhook_secret} label="Copy Secret" />}
            </Group>
            <SendTest
              channel="webhook"
              label="Call It with a Test"
              ready={Boolean(saved.webhook_enabled)}
              dirty={form.isDirty()}
            />
          </Stack>
        </Fieldset>
        <Switch
          label="These are on a private network"
          description="Allows addresses inside your network, http, and SMTP without encryption."
          {...form.getInputProps("allow_private_network", { type: "checkbox" })}
        />
        <SaveButton saving={saving}>Save Notifications</SaveButton>
      </Stack>
    </form>
  );
}

interface SendTestProps {
  channel: NotificationChannel;
  label: string;
  ready: boolean;
  dirty: boolean;
}

/** Only by what is saved: the server does not test what nobody decided on. */
function SendTest({ channel, label, ready, dirty }: SendTestProps) {
  const test = useTestNotifications();
  if (!ready) return null;
  return (
    <>
      <Group>
        <BusyButton
          type="button"
          variant="default"
          busy={test.isPending}
          disabled={dirty}
          onClick={() => test.mutate(channel)}
        >
          {dirty ? "Save first to test" : label}
        </BusyButton>
      </Group>
      {test.data && !dirty && (
        <Alert color={test.data.success ? "green" : "red"} role="status">
          {test.data.message}
        </Alert>
      )}
      {test.isError && <ProblemAlert error={asApiError(test.error)} title="No test was sent" />}
    </>
  );
}
