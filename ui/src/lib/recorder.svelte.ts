// Lag over time. A worker that keeps no history still has what this page has seen; a gap stays a gap.
import { clock } from './clock.svelte'
import { lagKnown } from './status'
import type { Partition } from './types'

export type Unit = 'records' | 'seconds' | 'bytes'

export interface Sample {
  at: number
  /** By `topic/partition`; null where it could not be measured. */
  lag: Map<string, { records: number | null; seconds: number | null; bytes: number | null } | null>
}

/** Samples per link: half an hour at one in five seconds. */
const KEPT = 360
const APART = 4500

const recordings = new Map<string, Sample[]>()

export function record(link: string, partitions: Partition[]): Sample[] {
  const samples = recordings.get(link) ?? []
  const at = clock.now
  const last = samples.at(-1)
  if (!last || at - last.at >= APART) {
    // Ten minutes without this page are a gap, not a line.
    if (last && at - last.at > 60_000) samples.push({ at: last.at + APART, lag: new Map() })
    const lag: Sample['lag'] = new Map()
    for (const each of partitions) {
      lag.set(`${each.topic ?? ''}/${each.partition}`, lagKnown(each.lag) ? { records: each.lag.records, seconds: each.lag.seconds, bytes: each.lag.bytes } : null)
    }
    samples.push({ at, lag })
    if (samples.length > KEPT) samples.splice(0, samples.length - KEPT)
    recordings.set(link, samples)
  }
  return [...samples]
}

/** Total and worst of a sample; null where any is not known. */
export function totals(sample: Sample, unit: Unit): { total: number | null; worst: number | null } {
  if (sample.lag.size === 0) return { total: null, worst: null }
  let total = 0
  let worst = 0
  for (const lag of sample.lag.values()) {
    const value = lag?.[unit] ?? null
    if (value === null) return { total: null, worst: null }
    total += value
    worst = Math.max(worst, value)
  }
  return { total, worst }
}
