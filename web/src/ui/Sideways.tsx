/** What may be wider than its place scrolls in it, by keyboard too, and shows at its edge that it goes on. */
import type { ReactNode } from "react";

interface SidewaysProps {
  label: string;
  /** Pixels that the content needs; where it is not said, as many as its words. */
  width?: number;
  /** Pixels beyond which it scrolls downwards, too. */
  height?: number;
  children: ReactNode;
}

export function Sideways({ label, width, height, children }: SidewaysProps) {
  return (
    <div className="oc-sideways" role="region" aria-label={label} tabIndex={0} style={{ maxHeight: height }}>
      <div style={{ minWidth: width }}>{children}</div>
    </div>
  );
}
