// Workers that do not answer, as the strip below the head says it: a screen that lacks no more than that does not repeat it.
import type { Incomplete } from './types'

let missing = $state.raw<Incomplete[]>([])

export const strip = {
  get missing() {
    return missing
  },
  set missing(value: Incomplete[]) {
    missing = value
  },
}

/** What of a screen's data is missing and not told above. */
export function untold(all: Incomplete[], above: Incomplete[]): Incomplete[] {
  return all.filter((each) => !above.some((told) => told.worker_id === each.worker_id && told.partitions === each.partitions))
}
