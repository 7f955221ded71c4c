// What needs somebody, as it is listed: problems of one cause of one link stand together, the worst first.
import type { Attention } from './types'

export type Problem = Attention & {
  /** How many have this cause. */
  times: number
  /** Of its object, so that a list that is read again gives nobody another's place. */
  key: string
}

const ORDER = { critical: 0, warning: 1, info: 2 }

export function grouped(rows: Attention[]): Problem[] {
  const found = new Map<string, Attention & { times: number }>()
  for (const row of rows) {
    const cause = JSON.stringify([row.severity, row.object.kind, row.object.link, row.explanation?.id ?? row.summary])
    const first = found.get(cause)
    if (first) first.times += 1
    else found.set(cause, { ...row, times: 1 })
  }
  const seen = new Map<string, number>()
  const keyed = [...found.values()].map((row) => {
    const { kind, link, topic, partition, task } = row.object
    const key = JSON.stringify([kind, link, topic, partition, task, row.explanation?.id])
    const before = seen.get(key) ?? 0
    seen.set(key, before + 1)
    return { ...row, key: before ? `${key} ${before}` : key }
  })
  return keyed.sort((left, right) => ORDER[left.severity] - ORDER[right.severity] || (left.since ?? '').localeCompare(right.since ?? ''))
}

/** How many partitions a problem is of. What is offered for it is done to the first of them only. */
export function standing(row: Problem): number {
  return row.object.kind === 'partition' ? Math.max(row.times, row.object.count ?? 1) : 1
}
