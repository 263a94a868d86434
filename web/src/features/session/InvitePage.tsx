/** What an invitation's link opens: the offer, and a password of one's own. */
import { Anchor, Button, Loader, PasswordInput, Stack, Text, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useRouter, useSearch } from "@tanstack/react-router";

import { asApiError } from "@/api/request";
import type { InvitationOffer } from "@/api/types";
import { A_ROLE } from "@/features/users/roles";
import { ProblemAlert } from "@/ui/ProblemAlert";

import { EntryPage } from "./EntryPage";
import { PASSWORD_RULE, passwordProblem } from "./newPassword";
import { acceptOffer, offerQuery, sessionQuery } from "./queries";

export function InvitePage() {
  const { token = "" } = useSearch({ from: "/invite" });
  const offer = useQuery(offerQuery(token));
  if (offer.data) return <Offer token={token} offer={offer.data} />;
  return (
    <EntryPage title="Your invitation" subtitle="An account in Ops-Center">
      {offer.isError ? (
        <Stack>
          <ProblemAlert error={asApiError(offer.error)} title="This link opens nothing" />
          <Text size="sm">
            With an account, <Anchor component={Link} to="/login" underline="always">sign in</Anchor>.
          </Text>
        </Stack>
      ) : (
        <Loader size="sm" aria-label="Loading" />
      )}
    </EntryPage>
  );
}

function Offer({ token, offer }: { token: string; offer: InvitationOffer }) {
  const router = useRouter();
  const queryClient = useQueryClient();
  const form = useForm({
    initialValues: { name: "", password: "" },
    validate: {
      password: passwordProblem,
    },
  });
  const accept = useMutation({
    mutationKey: ["session", "invitation"],
    mutationFn: (values: typeof form.values) => acceptOffer(token, values.name.trim(), values.password),
    onSuccess: (user) => {
      queryClient.clear(); // Nothing that another user saw may stay on screen.
      queryClient.setQueryData(sessionQuery.queryKey, user);
      router.history.replace("/"); // The used link is no way back.
    },
    onError: (error) => {
      const { param, message } = asApiError(error);
      if (param && param in form.values) form.setFieldError(param, message);
    },
  });
  const failure = accept.isError ? asApiError(accept.error) : null;
  return (
    <EntryPage
      title={`Join ${offer.organisation || "Ops-Center"}`}
      subtitle={`You are invited as ${A_ROLE[offer.role]}. Choose a password, and you are in.`}
    >
      <form onSubmit={form.onSubmit((values) => accept.mutate(values))} noValidate>
        <Stack>
          <TextInput label="Email" name="email" autoComplete="username" value={offer.email} readOnly />
          <TextInput label="Name" name="name" autoComplete="name" autoFocus {...form.getInputProps("name")} />
          <PasswordInput
            label="Password"
            name="password"
            description={PASSWORD_RULE}
            autoComplete="new-password"
            required
            withAsterisk={false}
            visibilityToggleButtonProps={{ "aria-label": "Show or hide what is typed", tabIndex: 0 }}
            {...form.getInputProps("password")}
          />
          {failure && !form.errors[failure.param ?? ""] && <ProblemAlert error={failure} />}
          <Button type="submit" loading={accept.isPending} fullWidth>
            Create Account
          </Button>
        </Stack>
      </form>
    </EntryPage>
  );
}
