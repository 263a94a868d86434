/** The dialogs of the providers' page in one chunk, loaded when the page stands. */
import { useMounted } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";

import type { Provider } from "@/api/types";

import { AddProviderDialog } from "./AddProviderDialog";
import { ConfigureProviderDialog } from "./ConfigureProviderDialog";
import { DeleteProviderDialog } from "./DeleteProviderDialog";
import { ModelsByHandDialog } from "./ModelsByHandDialog";
import { providerTypesQuery } from "./queries";

interface ProviderDialogsProps {
  adding: boolean;
  configuring: Provider | null;
  deleting: Provider | null;
  byHand: Provider | null;
  onClose: () => void;
}

export function ProviderDialogs({ adding, configuring, deleting, byHand, onClose }: ProviderDialogsProps) {
  useQuery(providerTypesQuery); // At hand before a dialog opens.
  // A dialog that is open from its first moment would not know where to give the focus back.
  const isMounted = useMounted();
  return (
    <>
      <AddProviderDialog opened={isMounted && adding} onClose={onClose} />
      <ConfigureProviderDialog provider={isMounted ? configuring : null} onClose={onClose} />
      <DeleteProviderDialog provider={isMounted ? deleting : null} onClose={onClose} />
      <ModelsByHandDialog provider={isMounted ? byHand : null} onClose={onClose} />
    </>
  );
}
