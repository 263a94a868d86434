/** The OpenID provider: who it is, whom it may bring in, and which of its groups have which role. */
import { Code, PasswordInput, Select, Stack, Switch, TagsInput, Text, Textarea, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";

import type { Role, Settings } from "@/api/types";
import { ROLES } from "@/features/users/roles";
import { FORM_WIDTH, SaveButton, useSaving } from "@/ui/SaveForm";

import { useChangeSettings } from "./queries";
import { fromLines, toLines } from "./roleLines";

const NOBODY = "none";

export function SingleSignOnForm({ settings }: { settings: Settings }) {
  const { oidc } = settings;
  const form = useForm({
    initialValues: {
      enabled: oidc.enabled ?? false,
      label: oidc.label ?? "",
      issuer: oidc.issuer ?? "",
      client_id: oidc.client_id ?? "",
      client_secret: "",
      allowed_domains: oidc.allowed_domains ?? [],
      groups_claim: oidc.groups_claim ?? "groups",
      group_roles: toLines(oidc.group_roles ?? {}),
      default_role: oidc.default_role ?? NOBODY,
      allow_private_network: oidc.allow_private_network ?? false,
    },
    validate: {
      group_roles: (text) => {
        const read = fromLines(text);
        return "wrong" in read ? `Not "group = role": ${read.wrong}` : null;
      },
    },
  });
  const saving = useSaving(form, useChangeSettings());
  const submit = form.onSubmit(({ client_secret, group_roles, default_role, ...others }) => {
    const read = fromLines(group_roles);
    if ("wrong" in read) return;
    saving.save(
      {
        oidc: {
          ...others,
          group_roles: read.map,
          default_role: default_role === NOBODY ? null : (default_role as Role),
          ...(client_secret && { client_secret }),
        },
      },
      { onSaved: () => form.setFieldValue("client_secret", "") },
    );
  });
  return (
    <form onSubmit={submit} noValidate>
      <Stack gap="md" maw={FORM_WIDTH}>
        <Switch label="Offer it at sign-in" {...form.getInputProps("enabled", { type: "checkbox" })} />
        <TextInput
          label="Issuer"
          description="As in its discovery document."
          placeholder="https://login.example.com"
          {...form.getInputProps("issuer")}
        />
        <TextInput label="Client id" autoComplete="off" {...form.getInputProps("client_id")} />
        <PasswordInput
          label="Client secret"
          description={oidc.client_secret ? "One is set. Leave blank to keep it." : "None is set; public clients need none."}
          autoComplete="off"
          visibilityToggleButtonProps={{ "aria-label": "Reveal or hide what is typed", tabIndex: 0 }}
          {...form.getInputProps("client_secret")}
        />
        <TextInput label="Button label" placeholder="Single sign-on" {...form.getInputProps("label")} />
        <TagsInput
          label="Allowed domains"
          description="Verified emails of these get an account at their first sign-in. None: only who is a user already."
          {...form.getInputProps("allowed_domains")}
        />
        <TextInput label="Claim with groups" {...form.getInputProps("groups_claim")} />
        <Textarea
          label="Roles of groups"
          description={
            <>
              One a line, as in <Code>platform-team = operator</Code>. With any, the provider decides the role at each sign-in.
            </>
          }
          autosize
          minRows={2}
          {...form.getInputProps("group_roles")}
        />
        <Select
          label="Without such a group"
          allowDeselect={false}
          data={[...ROLES.map(({ value, label }) => ({ value, label })), { value: NOBODY, label: "No access" }]}
          {...form.getInputProps("default_role")}
        />
        <Switch
          label="The provider is on a private network"
          description="Allows http and addresses inside your network."
          {...form.getInputProps("allow_private_network", { type: "checkbox" })}
        />
        <Text size="sm" c="dimmed">
          Passwords go on working. The provider&apos;s own second factor counts in place of ours.
        </Text>
        <SaveButton saving={saving}>Save Single Sign-on</SaveButton>
      </Stack>
    </form>
  );
}
