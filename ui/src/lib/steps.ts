// Where views stand among those of a tab: the browser says that it went to another, and not how far.

/** The place that was written beside a view; null where there is none. */
export function placeOf(state: unknown): number | null {
  const place = (state as { place?: unknown } | null)?.place
  return typeof place === 'number' ? place : null
}

/** Steps from a view to the one that is shown; null where that is not known. */
export function stepsBack(state: unknown, present: number): number | null {
  const its = placeOf(state)
  return its === null || its === present ? null : present - its
}
