/** A list as it was when it opened: what arrives while it is open waits, so that no row moves under a click. */
import { useState } from "react";

/** What is empty holds nothing still: the first rows are shown as they come. */
export function useStill<Row>(rows: Row[], isOpen: boolean): Row[] {
  const [shown, setShown] = useState(rows);
  const isHeld = isOpen && shown.length > 0;
  if (!isHeld && shown !== rows) setShown(rows);
  return isHeld ? shown : rows;
}
