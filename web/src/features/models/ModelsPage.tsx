/** Every model that the gateway can serve, and the aliases that lead to them; the address says which. */
import { Tabs } from "@mantine/core";
import { useNavigate, useSearch } from "@tanstack/react-router";

import { TryRoutingButton } from "@/features/routing/TryRoutingButton";
import { PageHeader } from "@/ui/PageHeader";

import { AliasesTable } from "./AliasesTable";
import { ModelsTable } from "./ModelsTable";

export function ModelsPage() {
  const search = useSearch({ from: "/signed-in/admin/models" });
  const navigate = useNavigate({ from: "/admin/models" });
  return (
    <>
      <PageHeader
        title="Models"
        description="What the providers serve, and the names that lead to it. A disabled model gets no traffic from anybody."
          action={<TryRoutingButton />}
      />
      <Tabs
        value={search.view ?? "models"}
        onChange={(view) => void navigate({ search: view === "aliases" ? { view } : {} })}
        keepMounted={false}
      >
        <Tabs.List mb="md">
          <Tabs.Tab value="models">Models</Tabs.Tab>
          <Tabs.Tab value="aliases">Aliases</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="models">
          <ModelsTable search={search} />
        </Tabs.Panel>
        <Tabs.Panel value="aliases">
          <AliasesTable search={search} />
        </Tabs.Panel>
      </Tabs>
    </>
  );
}
