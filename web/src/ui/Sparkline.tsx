/** A tiny zero-based line beside a figure; the figure and its tooltip carry the meaning, so it is decoration. */

const WIDTH = 96;
const HEIGHT = 28;

export function Sparkline({ values }: { values: number[] }) {
  const highest = Math.max(...values, 0);
  if (values.length < 2 || highest === 0) return null;
  const points = values.map((value, index) => {
    const x = (index / (values.length - 1)) * (WIDTH - 2) + 1;
    const y = HEIGHT - 2 - (value / highest) * (HEIGHT - 4);
    return `${x.toFixed(1)},${y.toFixed(1)}`;
  });
  return (
    <svg width={WIDTH} height={HEIGHT} viewBox={`0 0 ${WIDTH} ${HEIGHT}`} aria-hidden="true" focusable="false">
      <polygon
        points={`1,${HEIGHT - 1} ${points.join(" ")} ${WIDTH - 1},${HEIGHT - 1}`}
        fill="var(--mantine-primary-color-filled)"
        opacity="0.12"
      />
      <polyline
        points={points.join(" ")}
        fill="none"
        stroke="light-dark(var(--mantine-color-brand-7), var(--mantine-color-brand-4))"
        strokeWidth="1.6"
        strokeLinejoin="round"
        strokeLinecap="round"
      />
    </svg>
  );
}
