/** Invite somebody: email and role, then the link to send them, shown this once. */
import { Alert, Button, Code, Group, Modal, Select, Stack, Text, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";

import { asApiError } from "@/api/request";
import type { NewInvitation, Role } from "@/api/types";
import { absoluteTime } from "@/format/format";
import { BusyButton } from "@/ui/BusyButton";
import { CopyButton } from "@/ui/CopyButton";
import { ProblemAlert } from "@/ui/ProblemAlert";

import { useInvite } from "./queries";
import { ROLES } from "./roles";

const LIFETIMES = [
  { value: "1", label: "1 day" },
  { value: "7", label: "7 days" },
  { value: "30", label: "30 days" },
];

export function InviteDialog({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  return (
    <Modal
      opened={opened}
      onClose={onClose}
      title="Invite by Link"
      closeOnClickOutside={false}
      closeButtonProps={{ "aria-label": "Close" }}
    >
      {opened && <Invite onClose={onClose} />}
    </Modal>
  );
}

function Invite({ onClose }: { onClose: () => void }) {
  const invite = useInvite();
  const form = useForm({
    initialValues: { email: "", role: "user" as Role, days: "7" },
    validate: { email: (value) => (/^\S+@\S+$/.test(value.trim()) ? null : "An email address") },
  });
  if (invite.data) return <Link made={invite.data} onClose={onClose} />;
  const submit = form.onSubmit((values) => {
    if (invite.isPending) return;
    invite.mutate(
      { email: values.email.trim(), role: values.role, expires_in_days: Number(values.days) },
      {
        onError: (error) => {
          const { param, message } = asApiError(error);
          if (param === "email") form.setFieldError(param, message);
        },
      },
    );
  });
  return (
    <form onSubmit={submit} noValidate>
      <Stack gap="md">
        <Text size="sm" c="dimmed">
          You get a link to send on. Whoever opens it sets a password of their own and is in.
        </Text>
        <TextInput label="Email" type="email" autoComplete="off" data-autofocus {...form.getInputProps("email")} />
        <Select
          label="Role"
          allowDeselect={false}
          data={ROLES.map(({ value, label }) => ({ value, label }))}
          description={ROLES.find((role) => role.value === form.values.role)?.meaning}
          inputWrapperOrder={["label", "input", "description", "error"]}
          {...form.getInputProps("role")}
        />
        <Select label="The link works for" allowDeselect={false} data={LIFETIMES} {...form.getInputProps("days")} />
        {invite.isError && Object.keys(form.errors).length === 0 && (
          <ProblemAlert error={asApiError(invite.error)} title="Nobody was invited" />
        )}
        <Group justify="flex-end">
          <Button variant="default" type="button" onClick={onClose}>
            Cancel
          </Button>
          <BusyButton type="submit" busy={invite.isPending}>
            Make Link
          </BusyButton>
        </Group>
      </Stack>
    </form>
  );
}

function Link({ made, onClose }: { made: NewInvitation; onClose: () => void }) {
  return (
    <Stack gap="md">
      <Alert color="yellow" role="note">
        Copy it now: it is shown only this once. It works once, until {absoluteTime(made.invitation.expires_at)}.
      </Alert>
      <Text size="sm">Send this link to {made.invitation.email}:</Text>
      <Code block fz="sm" style={{ whiteSpace: "pre-wrap", overflowWrap: "anywhere" }} data-testid="link">
        {made.link}
      </Code>
      <Group justify="flex-end">
        <CopyButton text={made.link} label="Copy Link" size="sm" data-autofocus />
        <Button onClick={onClose}>Done</Button>
      </Group>
    </Stack>
  );
}
