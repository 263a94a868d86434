/** Every model that the gateway can serve, and the aliases that lead to them; the address says which. */
import { Badge, Tabs } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";

import { TryRoutingButton } from "@/features/routing/TryRoutingButton";
import { PageHeader } from "@/ui/PageHeader";

import { AliasesTable } from "./AliasesTable";
import { ModelsTable } from "./ModelsTable";
import { NeedsPriceTable, waitingLabel } from "./NeedsPriceTable";
import { unpricedQuery } from "./queries";

export function ModelsPage() {
  const search = useSearch({ from: "/signed-in/admin/models" });
  const navigate = useNavigate({ from: "/admin/models" });
  const waiting = useQuery(unpricedQuery).data?.models.length ?? 0;
  return (
    <>
      <PageHeader
        title="Models"
        description="What the providers serve, and the names that lead to it. A disabled model gets no traffic from anybody."
          action={<TryRoutingButton />}
      />
      <Tabs
        value={search.view ?? "models"}
        onChange={(view) => void navigate({ search: view === "aliases" || view === "needs-price" ? { view } : {} })}
        keepMounted={false}
      >
        <Tabs.List mb="md">
          <Tabs.Tab value="models">Models</Tabs.Tab>
          <Tabs.Tab value="aliases">Aliases</Tabs.Tab>
          <Tabs.Tab
            value="needs-price"
            rightSection={
              waiting > 0 && (
                <Badge size="sm" circle={waiting < 100} aria-label={waitingLabel(waiting)}>
                  {waiting}
                </Badge>
              )
            }
          >
            Needs a price
          </Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="models">
          <ModelsTable search={search} />
        </Tabs.Panel>
        <Tabs.Panel value="aliases">
          <AliasesTable search={search} />
        </Tabs.Panel>
        <Tabs.Panel value="needs-price">
          <NeedsPriceTable />
        </Tabs.Panel>
      </Tabs>
    </>
  );
}
