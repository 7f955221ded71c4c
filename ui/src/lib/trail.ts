// Sums as this page has seen them lately, for the small lines beside them. What was not known is a gap.

export interface Seen {
  at: number
  value: number | null
}

/** A quarter of an hour at one in four seconds. */
const KEPT = 225
/** Readings further apart than this are not joined. */
const APART = 30_000
const trails = new Map<string, Seen[]>()

/** Takes a value down; the same reading is taken once. */
export function note(name: string, value: number | null, at: number): Seen[] {
  const before = trails.get(name) ?? []
  const last = before.at(-1)
  if (last && last.at >= at) return before
  const gap = last && at - last.at > APART ? [{ at: last.at + 1, value: null }] : []
  const longer = [...before, ...gap, { at, value }].slice(-KEPT)
  trails.set(name, longer)
  return longer
}

/** The line and the ground below it in a box of `width` by `height`: one piece for each stretch without a gap. */
export function drawn(seen: Seen[], width: number, height: number): { line: string; ground: string } {
  const first = seen[0]?.at ?? 0
  // A few readings are a short line at the right, not a long one.
  const span = Math.max(60_000, (seen.at(-1)?.at ?? 0) - first)
  const begin = (seen.at(-1)?.at ?? 0) - span
  const most = Math.max(1e-9, ...seen.map(({ value }) => value ?? 0))
  const place = ({ at, value }: Seen): [number, number] => [((at - begin) / span) * width, height - 1 - ((value ?? 0) / most) * (height - 3)]
  const pieces: [number, number][][] = [[]]
  for (const each of seen) {
    if (each.value === null) pieces.push([])
    else pieces.at(-1)!.push(place(each))
  }
  const text = (points: [number, number][]) => points.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join('L')
  const long = pieces.filter((points) => points.length > 1)
  return {
    line: long.map((points) => `M${text(points)}`).join(''),
    ground: long.map((points) => `M${points[0]![0].toFixed(1)} ${height}L${text(points)}L${points.at(-1)![0].toFixed(1)} ${height}Z`).join(''),
  }
}
